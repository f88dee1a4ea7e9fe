-- Every month, after partition_by_month.sql (docs/scaling.md, "By month"): makes the partitions of the coming months
-- while they are empty, which costs nothing, and packs those that nobody writes to any more. By a login that owns the
-- database: sqlcmd … -v FILEGROUP=PRIMARY -i next_months.sql, or with the filegroup of a year. May be run again.
:on error exit
SET NOCOUNT ON;
SET XACT_ABORT ON;
-- Whoever waits for a lock here makes others wait: give up, and come again at night.
SET LOCK_TIMEOUT 5000;
GO

USE bank;
GO

-- Three months ahead, in UTC as the rows are: a partition that holds rows already is dear to split.
DECLARE @now datetimeoffset(7) = SYSDATETIMEOFFSET() AT TIME ZONE 'UTC';
DECLARE @end datetimeoffset(7)
    = DATEADD(month, 3, DATETIMEOFFSETFROMPARTS(YEAR(@now), MONTH(@now), 1, 0, 0, 0, 0, 0, 0, 7));
DECLARE @last datetimeoffset(7);
SELECT @last = MAX(CAST(v.value AS datetimeoffset(7)))
FROM sys.partition_functions f
JOIN sys.partition_range_values v ON v.function_id = f.function_id
WHERE f.name = N'bank_months';
WHILE @last < @end
BEGIN
    SET @last = DATEADD(month, 1, @last);
    ALTER PARTITION SCHEME bank_months NEXT USED [$(FILEGROUP)];
    ALTER PARTITION FUNCTION bank_months() SPLIT RANGE (@last);
END;
GO

-- A row of a movement is written once, so a month that is over for two is packed for good.
DECLARE @settled int = $PARTITION.bank_months(DATEADD(month, -2, SYSDATETIMEOFFSET()));
DECLARE @pack nvarchar(max) = N'';
SELECT @pack = @pack + N'ALTER TABLE dbo.' + QUOTENAME(OBJECT_NAME(p.object_id)) + N' REBUILD PARTITION = '
    + CAST(p.partition_number AS nvarchar(10)) + N' WITH (DATA_COMPRESSION = PAGE);'
FROM sys.partitions p
JOIN sys.indexes i ON i.object_id = p.object_id AND i.index_id = p.index_id
WHERE i.name IN (N'transfers_entry_by_month', N'audit_auditentry_by_month')
    AND p.partition_number < @settled
    AND p.data_compression = 0
    AND p.rows > 0;
EXEC sp_executesql @pack;
GO
