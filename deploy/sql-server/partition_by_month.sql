-- Puts the movements and the audit log of a bank on SQL Server into one partition for each month (docs/scaling.md, "By
-- month"). By a login that owns the database, with sqlcmd, while the bank stands still: both tables are written anew.
-- May be run again: it changes nothing then. next_months.sql follows, at once and then every month.
:on error exit
SET NOCOUNT ON;
SET XACT_ABORT ON;
GO

USE bank;
GO

-- Whatever was before the first boundary is one partition.
IF NOT EXISTS (SELECT 1 FROM sys.partition_functions WHERE name = N'bank_months')
    CREATE PARTITION FUNCTION bank_months (datetimeoffset(7))
    AS RANGE RIGHT FOR VALUES ('2026-01-01T00:00:00+00:00');
GO

IF NOT EXISTS (SELECT 1 FROM sys.partition_schemes WHERE name = N'bank_months')
    CREATE PARTITION SCHEME bank_months AS PARTITION bank_months ALL TO ([PRIMARY]);
GO

-- The key (id) and what guards the balances, unique (account, sequence), stay whole: a double spend is one in whatever
-- month. So they are indexes of their own, beside rows that lie by time.
IF NOT EXISTS (SELECT 1 FROM sys.indexes WHERE name = N'transfers_entry_by_month')
BEGIN
    DECLARE @drop nvarchar(400);
    SELECT @drop = N'ALTER TABLE dbo.transfers_entry DROP CONSTRAINT ' + QUOTENAME(name)
    FROM sys.key_constraints
    WHERE type = 'PK' AND parent_object_id = OBJECT_ID(N'dbo.transfers_entry');
    BEGIN TRANSACTION;
    EXEC sp_executesql @drop;
    CREATE CLUSTERED INDEX transfers_entry_by_month ON dbo.transfers_entry (posted_at, id) ON bank_months (posted_at);
    ALTER TABLE dbo.transfers_entry ADD CONSTRAINT transfers_entry_pk PRIMARY KEY NONCLUSTERED (id) ON [PRIMARY];
    COMMIT TRANSACTION;
END;
GO

IF NOT EXISTS (SELECT 1 FROM sys.indexes WHERE name = N'audit_auditentry_by_month')
BEGIN
    DECLARE @drop nvarchar(400);
    SELECT @drop = N'ALTER TABLE dbo.audit_auditentry DROP CONSTRAINT ' + QUOTENAME(name)
    FROM sys.key_constraints
    WHERE type = 'PK' AND parent_object_id = OBJECT_ID(N'dbo.audit_auditentry');
    BEGIN TRANSACTION;
    EXEC sp_executesql @drop;
    CREATE CLUSTERED INDEX audit_auditentry_by_month ON dbo.audit_auditentry (at, id) ON bank_months (at);
    ALTER TABLE dbo.audit_auditentry ADD CONSTRAINT audit_auditentry_pk PRIMARY KEY NONCLUSTERED (id) ON [PRIMARY];
    COMMIT TRANSACTION;
END;
GO

-- Nothing above touches triggers; an auditor wants to see it.
SELECT t.name AS append_only_trigger, t.is_disabled
FROM sys.triggers t
WHERE t.parent_id IN (OBJECT_ID(N'dbo.transfers_entry'), OBJECT_ID(N'dbo.audit_auditentry'));
GO
