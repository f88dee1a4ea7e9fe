-- The bank's database and its two logins: bank_migrate owns the tables and changes them, bank_app reads and writes rows.
-- By an administrator of the server, with sqlcmd (docs/sql-server.md), which takes BANK_DB_PASSWORD (bank_app) and
-- BANK_MIGRATE_PASSWORD (bank_migrate) from its environment: letters and digits, 20 or more. May be run again: it
-- changes nothing then, except that the logins get the passwords that stand there now.
:on error exit
SET NOCOUNT ON;
GO

-- By what a letter is, not by its case; accents tell two names apart, and so do emoji, which weigh nothing in older
-- collations.
IF DB_ID(N'bank') IS NULL
    CREATE DATABASE bank COLLATE Latin1_General_100_CI_AS_SC;
GO

-- Without row versions, readers would wait for writers.
IF EXISTS (SELECT 1 FROM sys.databases WHERE name = N'bank' AND is_read_committed_snapshot_on = 0)
    ALTER DATABASE bank SET READ_COMMITTED_SNAPSHOT ON WITH ROLLBACK IMMEDIATE;
-- What was answered is on the disk.
IF EXISTS (SELECT 1 FROM sys.databases WHERE name = N'bank' AND delayed_durability <> 0)
    ALTER DATABASE bank SET DELAYED_DURABILITY = DISABLED WITH NO_WAIT;
-- A torn page is noticed when it is read.
IF EXISTS (SELECT 1 FROM sys.databases WHERE name = N'bank' AND page_verify_option <> 2)
    ALTER DATABASE bank SET PAGE_VERIFY CHECKSUM;
-- To the minute before a mistake, by backups of the log: without them, the log grows.
IF EXISTS (SELECT 1 FROM sys.databases WHERE name = N'bank' AND recovery_model <> 1)
    ALTER DATABASE bank SET RECOVERY FULL WITH NO_WAIT;
IF EXISTS (SELECT 1 FROM sys.databases WHERE name = N'bank' AND compatibility_level < 150)
    ALTER DATABASE bank SET COMPATIBILITY_LEVEL = 150;
GO

-- --- Encryption of the files (TDE), which every edition has but Express (4) -----------------------------------------

USE master;
GO

-- Nobody needs this password: the server opens its master key by itself. What must be kept is the certificate.
IF SERVERPROPERTY('EngineEdition') <> 4
    AND NOT EXISTS (SELECT 1 FROM sys.symmetric_keys WHERE name = N'##MS_DatabaseMasterKey##')
BEGIN
    DECLARE @make nvarchar(400) = N'CREATE MASTER KEY ENCRYPTION BY PASSWORD = '''
        + CONVERT(nvarchar(120), CRYPT_GEN_RANDOM(40), 1) + N'''';
    EXEC sp_executesql @make;
END;
GO

IF SERVERPROPERTY('EngineEdition') <> 4
    AND NOT EXISTS (SELECT 1 FROM sys.certificates WHERE name = N'bank_tde')
    CREATE CERTIFICATE bank_tde WITH SUBJECT = 'Encrypts the files of the bank', EXPIRY_DATE = '20991231';
GO

USE bank;
GO

IF SERVERPROPERTY('EngineEdition') = 4
    PRINT 'This edition does not encrypt databases: the disk has to.';
ELSE IF NOT EXISTS (SELECT 1 FROM sys.dm_database_encryption_keys WHERE database_id = DB_ID())
    CREATE DATABASE ENCRYPTION KEY WITH ALGORITHM = AES_256 ENCRYPTION BY SERVER CERTIFICATE bank_tde;
GO

IF EXISTS (SELECT 1 FROM sys.databases WHERE name = N'bank' AND is_encrypted = 0)
    AND EXISTS (SELECT 1 FROM sys.dm_database_encryption_keys WHERE database_id = DB_ID())
    ALTER DATABASE bank SET ENCRYPTION ON;
GO

-- Empty until somebody has done it: a backup of the database is worth nothing without.
IF EXISTS (SELECT 1 FROM master.sys.certificates WHERE name = N'bank_tde' AND pvt_key_last_backup_date IS NULL)
    PRINT 'The certificate bank_tde has never been backed up: without it no backup of this database can be restored '
        + 'on another server. See docs/sql-server.md, "Encryption of the files".';
GO

-- --- The logins -----------------------------------------------------------------------------------------------------

USE master;
GO

IF SUSER_ID(N'bank_migrate') IS NULL
    CREATE LOGIN bank_migrate WITH PASSWORD = N'$(BANK_MIGRATE_PASSWORD)', DEFAULT_DATABASE = bank;
ELSE
    ALTER LOGIN bank_migrate WITH PASSWORD = N'$(BANK_MIGRATE_PASSWORD)';

IF SUSER_ID(N'bank_app') IS NULL
    CREATE LOGIN bank_app WITH PASSWORD = N'$(BANK_DB_PASSWORD)', DEFAULT_DATABASE = bank;
ELSE
    ALTER LOGIN bank_app WITH PASSWORD = N'$(BANK_DB_PASSWORD)';
GO

-- To say whether the files are encrypted (`manage.py check --database default`); the narrower right is of 2022.
IF CAST(SERVERPROPERTY('ProductMajorVersion') AS int) >= 16
    EXEC sp_executesql N'GRANT VIEW SERVER SECURITY STATE TO bank_migrate';
ELSE
    EXEC sp_executesql N'GRANT VIEW SERVER STATE TO bank_migrate';
GO

USE bank;
GO

-- Owner of this database and of nothing else: no right over the server, nor over other databases.
IF DATABASE_PRINCIPAL_ID(N'bank_migrate') IS NULL
    CREATE USER bank_migrate FOR LOGIN bank_migrate WITH DEFAULT_SCHEMA = dbo;
-- Restored on another server, the user has a login's number that is nobody's there.
ALTER USER bank_migrate WITH LOGIN = bank_migrate;
ALTER ROLE db_owner ADD MEMBER bank_migrate;

-- Rows, not tables: what may not alter a table cannot drop or disable a trigger, nor truncate.
IF DATABASE_PRINCIPAL_ID(N'bank_app') IS NULL
    CREATE USER bank_app FOR LOGIN bank_app WITH DEFAULT_SCHEMA = dbo;
ALTER USER bank_app WITH LOGIN = bank_app;
ALTER ROLE db_datareader ADD MEMBER bank_app;
ALTER ROLE db_datawriter ADD MEMBER bank_app;
-- The check that the triggers stand reads their definitions.
GRANT VIEW DEFINITION TO bank_app;
GO

-- Once the tables stand: `manage.py deny_changes bank_app`, after every migrate.
