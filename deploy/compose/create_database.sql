-- The bank's database and the login of its web and mail workers. May be run again; changes nothing then,
-- except that the login gets the password that stands in .env now. sqlcmd takes BANK_DB_PASSWORD from its environment.
:on error exit

IF DB_ID(N'bank') IS NULL
    CREATE DATABASE bank;
GO

-- Without row versions, readers would wait for writers.
IF EXISTS (SELECT 1 FROM sys.databases WHERE name = N'bank' AND is_read_committed_snapshot_on = 0)
    ALTER DATABASE bank SET READ_COMMITTED_SNAPSHOT ON WITH ROLLBACK IMMEDIATE;
GO

IF SUSER_ID(N'bank_app') IS NULL
    CREATE LOGIN bank_app WITH PASSWORD = N'$(BANK_DB_PASSWORD)', DEFAULT_DATABASE = bank;
ELSE
    ALTER LOGIN bank_app WITH PASSWORD = N'$(BANK_DB_PASSWORD)';
GO

USE bank;
GO

-- Rows, not tables: what may not alter a table cannot drop or disable a trigger, nor truncate.
IF DATABASE_PRINCIPAL_ID(N'bank_app') IS NULL
    CREATE USER bank_app FOR LOGIN bank_app;
ALTER ROLE db_datareader ADD MEMBER bank_app;
ALTER ROLE db_datawriter ADD MEMBER bank_app;
-- The check that the triggers stand reads their definitions.
GRANT VIEW DEFINITION TO bank_app;
GO
