"""Each rule finds what it is made for, and leaves the bank's statements alone (R9.4; issue 7, Shows 1)."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.mssql.rules import LONGEST_NAME, MOST_ROWS, MOST_VALUES, RULES, faults

# Statements that a server refuses or runs wrongly: for each rule at least one, which breaks at least that rule.
BAD: dict[str, list[tuple[str, tuple[Any, ...]]]] = {
    "is not T-SQL": [
        ("SELECT FROM WHERE", ()),
        ("CREATE TRIGGER [x] ON [t] AFTER INSERT AS BEGIN DELETE FROM [t]; END", ()),
        ("SAVE TRANSACTION a_name_that_is_longer_than_32_characters", ()),
        ("ALTER TABLE [t] ADD DEFAULT now() FOR [c]", ()),
    ],
    "has a word that SQL Server does not know": [
        ("SELECT [a].[id] FROM [a] LIMIT 5", ()),
        ("SELECT [a].[id] FROM [a] WHERE [a].[b] = TRUE", ()),
        ("SELECT [a].[id] FROM [a] ORDER BY [a].[b] NULLS LAST", ()),
        ("SELECT [a].[id] FROM [a] WHERE [a].[b] ILIKE ?", ("x",)),
        ("SELECT [a].[id] FROM [a] FOR UPDATE", ()),
    ],
    "joins texts, casts or compares as another engine does": [
        ("SELECT [a].[id] FROM [a] WHERE [a].[b] IS NOT DISTINCT FROM ?", (1,)),
        ("SELECT [a].[x] || [a].[y] AS [z] FROM [a]", ()),
        ("SELECT [a].[x]::int AS [z] FROM [a]", ()),
    ],
    "has more values than one statement takes": [
        ("SELECT [a].[id] FROM [a] WHERE [a].[id] IN (?)", (1,) * (MOST_VALUES + 1)),
    ],
    "has two lists of over 2,048 values, which share one table": [
        (
            "SELECT [a].[id] FROM [a] WHERE [a].[b] IN (SELECT params from #Temp_params) AND [a].[c] IN"
            " (SELECT params from #Temp_params)",
            (),
        ),
    ],
    "inserts more rows than one VALUES takes": [
        (f"INSERT INTO [a] ([b]) VALUES {', '.join(['(1)'] * (MOST_ROWS + 1))}", ()),
    ],
    "has a name that is too long": [
        (f"SELECT [a].[{'x' * (LONGEST_NAME + 1)}] FROM [a]", ()),
    ],
    "gives a value for a number that the server counts itself": [
        ("SET IDENTITY_INSERT [a] ON; INSERT INTO [a] ([id]) VALUES (?); SET IDENTITY_INSERT [a] OFF", (1,)),
    ],
    "groups with a Decimal, which is rounded to a whole number": [
        (
            "DECLARE @var0 NUMERIC = ? \nSELECT [a].[b], COUNT_BIG([a].[id]) AS [n] FROM [a] WHERE [a].[c] >"
            " @var0 GROUP BY [a].[b]",
            (Decimal("0.5"),),
        ),
    ],
    "reckons with a fixed distance from UTC": [
        ("SELECT [a].[id] FROM [a] WHERE CONVERT(date, DATEADD(second, 3600, [a].[at])) = ?", (1,)),
    ],
    "looks for a pattern of regular expressions": [
        ("SELECT [a].[id] FROM [a] WHERE dbo.REGEXP_LIKE([a].[b], ?, 1)=1", ("x",)),
    ],
    "orders a subquery that has no limit": [
        ("SELECT [x].[id] FROM (SELECT [a].[id] FROM [a] ORDER BY [a].[id] ASC) [x]", ()),
        ("SELECT [a].[id] FROM [a] WHERE [a].[id] IN (SELECT U0.[id] FROM [b] U0 ORDER BY U0.[c])", ()),
    ],
    "skips rows without an order": [
        ("SELECT [a].[id] FROM [a] OFFSET 5 ROWS FETCH FIRST 5 ROWS ONLY", ()),
    ],
    "orders by one column twice": [
        ("SELECT [a].[id] FROM [a] ORDER BY [a].[id] ASC, [a].[id] DESC", ()),
    ],
    "orders distinct rows by what it does not select": [
        ("SELECT DISTINCT [a].[id] FROM [a] ORDER BY [a].[b] ASC", ()),
    ],
    "is distinct on some columns": [
        ("SELECT DISTINCT ON ([a].[b]) [a].[id] FROM [a]", ()),
    ],
    "locks the rows of the first table only, of several": [
        (
            "SELECT [a].[id] FROM [a] WITH (ROWLOCK, UPDLOCK) INNER JOIN [b] ON ([a].[b_id] = [b].[id])"
            " WHERE [a].[id] = ?",
            (1,),
        ),
    ],
    "uses a condition as a value": [
        ("SELECT [a].[b] > ? AS [more] FROM [a]", (1,)),
        ("SELECT EXISTS(SELECT TOP 1 1 AS [x] FROM [b] U0) AS [has] FROM [a]", ()),
        ("SELECT [a].[id] FROM [a] WHERE EXISTS(SELECT TOP 1 1 AS [x] FROM [b] U0) = 1", ()),
        ("SELECT [a].[id] FROM [a] ORDER BY [a].[b] IS NULL ASC", ()),
        ("UPDATE [a] SET [b] = [a].[c] > ? WHERE [a].[id] = ?", (1, 1)),
    ],
    "uses a value as a condition": [
        ("SELECT [a].[id] FROM [a] WHERE [a].[is_active]", ()),
        ("SELECT [a].[id] FROM [a] WHERE NOT [a].[is_active] AND [a].[b] = ?", (1,)),
        ("SELECT CASE WHEN [a].[is_active] THEN 1 ELSE 0 END AS [x] FROM [a]", ()),
    ],
    "compares several columns at once": [
        ("SELECT [a].[id] FROM [a] WHERE ([a].[x], [a].[y]) IN ((?, ?))", (1, 2)),
    ],
    "has a CASE of which every outcome is NULL": [
        ("UPDATE [a] SET [b] = CASE WHEN [a].[id] = ? THEN NULL ELSE NULL END", (1,)),
    ],
    "sums over a subquery or over a sum": [
        ("SELECT SUM(CASE WHEN EXISTS(SELECT TOP 1 1 AS [x] FROM [b] U0) THEN 1 ELSE 0 END) AS [n] FROM [a]", ()),
        ("SELECT SUM((SELECT U0.[c] FROM [b] U0)) AS [n] FROM [a]", ()),
    ],
    "counts several columns at once": [
        ("SELECT COUNT(DISTINCT [a].[x], [a].[y]) AS [n] FROM [a]", ()),
    ],
    "groups by a subquery or by no column": [
        ("SELECT COUNT_BIG([a].[id]) AS [n] FROM [a] GROUP BY (SELECT U0.[c] FROM [b] U0)", ()),
        ("SELECT COUNT_BIG([a].[id]) AS [n] FROM [a] GROUP BY @var0", (1,)),
    ],
    "selects a column that it does not group by": [
        ("SELECT [a].[x], [a].[y], SUM([a].[z]) AS [n] FROM [a] GROUP BY [a].[x]", ()),
        ("SELECT [a].[x], MAX([a].[z]) AS [n] FROM [a]", ()),
        (
            "SELECT [a].[x], SUM([a].[z]) AS [n], (SELECT TOP 1 U0.[v] FROM [b] U0 WHERE U0.[a_id] ="
            " [a].[id]) AS [v] FROM [a] GROUP BY [a].[x]",
            (),
        ),
    ],
    "has a subquery of several columns where one is meant": [
        ("SELECT [a].[id] FROM [a] WHERE [a].[x] IN (SELECT U0.[y], U0.[z] FROM [b] U0)", ()),
        ("SELECT (SELECT TOP 1 U0.[y], U0.[z] FROM [b] U0) AS [v] FROM [a]", ()),
    ],
}

# Statements that a server takes; most are the backend's for the bank's own queries.
GOOD: list[tuple[str, tuple[Any, ...]]] = [
    (
        "SELECT TOP 25 [a].[id], [b].[x] FROM [a] INNER JOIN [b] ON ([a].[b_id] = [b].[id] AND ([b].[y] ="
        " ?)) WHERE ([a].[b] LIKE ? ESCAPE '\\' AND NOT ([a].[c] IN (?, ?)) AND [a].[d] IS NOT NULL) ORDER BY"
        " [a].[id] DESC",
        ("x", "y", 1, 2),
    ),
    ("SELECT [a].[id] FROM [a] ORDER BY 1 ASC OFFSET 5 ROWS FETCH FIRST 5 ROWS ONLY", ()),
    (
        "SELECT [a].[id] FROM [a] WITH (ROWLOCK, UPDLOCK) WHERE [a].[id] IN (?, ?) ORDER BY [a].[id] ASC OFFSET 0 ROWS",
        (1, 2),
    ),
    ("SET NOCOUNT ON INSERT INTO [a] ([b], [c]) VALUES (?, ?); SELECT CAST(SCOPE_IDENTITY() AS bigint)", (1, "x")),
    ("INSERT INTO [a] ([b]) VALUES (?), (?)", (1, 2)),
    (
        "SET NOCOUNT OFF; UPDATE [a] SET [b] = ?, [c] = ([a].[c] + ?) WHERE ([a].[id] = ? AND [a].[b] < ?)",
        (1, 2, 3, 4),
    ),
    (
        "SET NOCOUNT OFF; DELETE FROM [a] WHERE [a].[id] IN (SELECT U0.[id] FROM [b] U0 WHERE U0.[x] <= ?)",
        (datetime.now(UTC),),
    ),
    (
        "DECLARE @var0 NVARCHAR(3) = ? ,@var1 INT = ?  \nSELECT [a].[x], COUNT_BIG(CASE WHEN [a].[y] = @var0"
        " THEN [a].[id] ELSE NULL END) AS [n], COALESCE(SUM([a].[z]), @var1) AS [s] FROM [a] GROUP BY"
        " [a].[x] HAVING SUM([a].[z]) > @var1 ORDER BY [a].[x] ASC OFFSET 0 ROWS",
        ("abc", 0),
    ),
    (
        "SELECT CASE WHEN (EXISTS(SELECT TOP 1 1 AS [x] FROM [b] U0 WHERE U0.[id] = ([a].[id])) OR [a].[y]"
        " BETWEEN ? AND ?) THEN 1 ELSE 0 END AS [z] FROM [a]",
        (1, 2),
    ),
    ("SELECT DISTINCT [a].[id], [a].[b] FROM [a] ORDER BY [a].[b] ASC OFFSET 0 ROWS", ()),
    (
        "SELECT COUNT_BIG(*) AS [n] FROM (SELECT TOP 101 [a].[id] AS [col1] FROM [a] WHERE [a].[b] = ?) subquery",
        (1,),
    ),
    ("SELECT [a].[id], ROW_NUMBER() OVER (PARTITION BY [a].[b] ORDER BY [a].[c] DESC) AS [n] FROM [a]", ()),
    ("SAVE TRANSACTION s140000000000000_x12", ()),
    (
        "CREATE TRIGGER [t_no_change] ON [t] INSTEAD OF UPDATE, DELETE AS BEGIN THROW 50001, 't is"
        " append-only', 1; END",
        (),
    ),
]


@pytest.mark.parametrize(
    ("name", "text", "values"), [(name, text, values) for name, rows in BAD.items() for text, values in rows]
)
def test_a_statement_that_the_server_would_not_have_is_caught(name: str, text: str, values: tuple[Any, ...]) -> None:
    assert name in faults(text, values, 2019)


def test_each_rule_has_a_statement_that_it_catches() -> None:
    assert set(RULES) == set(BAD)


@pytest.mark.parametrize(("text", "values"), GOOD)
@pytest.mark.parametrize("version", [2019, 2022])
def test_a_statement_that_the_server_takes_is_left_alone(text: str, values: tuple[Any, ...], version: int) -> None:
    assert faults(text, values, version) == []


def test_what_2022_brought_is_not_for_2019() -> None:
    text = "SELECT GREATEST([a].[x], [a].[y]) AS [z] FROM [a]"
    assert faults(text, (), 2022) == []
    assert faults(text, (), 2019) == ["has a word that SQL Server does not know"]
