"""Statements that SQL Server refuses, or runs wrongly, though Django compiles them and SQLite runs them (R9.4).

A rule looks at one statement and says whether it breaks the rule; its name says how. Rules for migrations look at the
resulting catalog (`ddl_rules`). Each rule has a statement in `test_rules` that it must find.
"""

import re
from collections.abc import Callable, Iterator
from decimal import Decimal

from sqlglot import exp

from tests.mssql.statements import Statement
from tests.mssql.words import known_words

# The server takes 2,100 values, of which the call that carries the statement needs some.
MOST_VALUES = 2090
MOST_ROWS = 1000
LONGEST_NAME = 128

Rule = Callable[[Statement, int], object]
RULES: dict[str, Rule] = {}


def rule(name: str) -> Callable[[Rule], Rule]:
    def register(one: Rule) -> Rule:
        RULES[name] = one
        return one

    return register


def faults(text: str, values: tuple[object, ...] = (), version: int = 2022) -> list[str]:
    """Return the names of the rules that this statement breaks on a server of `version`."""
    statement = Statement(text, tuple(values))
    return [name for name, broken in RULES.items() if broken(statement, version)]


def _unwrapped(node: exp.Expr) -> exp.Expr:
    while isinstance(node, exp.Paren | exp.Alias):
        node = node.this
    return node


# --- The text -----------------------------------------------------------------------------------------------


@rule("is not T-SQL")
def _unreadable(statement: Statement, version: int) -> object:
    return not statement.trees and not statement.is_known


@rule("has a word that SQL Server does not know")
def _unknown_word(statement: Statement, version: int) -> object:
    if statement.is_known:
        return False
    # Names without brackets: U0, T3 are Django's aliases, Col1 and subquery the backend's; @ begins a variable.
    words = re.findall(
        r"(?<![@\w#.])[A-Za-z]\w*(?!\.)\b",
        re.sub(r"\b(?:[A-Z]\d+|Col\d+|subquery|counted|\w+_check)\b", "", statement.bare),
    )
    return {word.upper() for word in words} - known_words(version)


@rule("joins texts, casts or compares as another engine does")
def _foreign_signs(statement: Statement, version: int) -> object:
    newer = "" if version >= 2022 else r"|IS (?:NOT )?DISTINCT FROM"
    return re.search(rf"\|\||::|->|@>|~{newer}", statement.bare, re.IGNORECASE)


@rule("has more values than one statement takes")
def _too_many_values(statement: Statement, version: int) -> object:
    return len(statement.values) > MOST_VALUES


@rule("has two lists of over 2,048 values, which share one table")
def _two_long_lists(statement: Statement, version: int) -> object:
    return statement.text.count("#Temp_params") > 1 and "SELECT" in statement.text[:6]


@rule("inserts more rows than one VALUES takes")
def _too_many_rows(statement: Statement, version: int) -> object:
    return any(len(rows.expressions) > MOST_ROWS for rows in statement.all_of(exp.Values))


@rule("has a name that is too long")
def _long_name(statement: Statement, version: int) -> object:
    return any(len(name) > LONGEST_NAME for name in re.findall(r"\[([^\]]*)\]", statement.text))


IDENTITY = "gives a value for a number that the server counts itself"


@rule(IDENTITY)
def _identity(statement: Statement, version: int) -> object:
    """Find SET IDENTITY_INSERT, which needs the right to ALTER the table: the bank's login lacks it."""
    return "IDENTITY_INSERT" in statement.text


@rule("groups with a Decimal, which is rounded to a whole number")
def _decimal_in_group(statement: Statement, version: int) -> object:
    return "GROUP BY" in statement.text and any(isinstance(value, Decimal | float) for value in statement.values)


@rule("reckons with a fixed distance from UTC")
def _fixed_zone(statement: Statement, version: int) -> object:
    return re.search(r"DATEADD\(second, -?\d+,|AT TIME ZONE", statement.bare, re.IGNORECASE)


@rule("looks for a pattern of regular expressions")
def _regex(statement: Statement, version: int) -> object:
    return "REGEXP_LIKE" in statement.bare.upper()


# --- Order, limits and locks --------------------------------------------------------------------------------


@rule("orders a subquery that has no limit")
def _ordered_subquery(statement: Statement, version: int) -> object:
    return any(
        select.args.get("order") and select.parent and not (select.args.get("limit") or select.args.get("offset"))
        for select in statement.all_of(exp.Select)
    )


@rule("skips rows without an order")
def _unordered_offset(statement: Statement, version: int) -> object:
    return any(select.args.get("offset") and not select.args.get("order") for select in statement.all_of(exp.Select))


@rule("orders by one column twice")
def _ordered_twice(statement: Statement, version: int) -> object:
    for select in statement.all_of(exp.Select):
        keys = [_unwrapped(one.this).sql().upper() for one in _order_of(select)]
        if len(keys) != len(set(keys)):
            return True
    return False


@rule("orders distinct rows by what it does not select")
def _distinct_order(statement: Statement, version: int) -> object:
    for select in statement.all_of(exp.Select):
        if select.args.get("distinct"):
            shown = {_unwrapped(one).sql() for one in select.expressions} | {one.alias for one in select.expressions}
            for one in _order_of(select):
                key = one.this
                if not isinstance(key, exp.Literal) and key.sql() not in shown and key.name not in shown:
                    return True
    return False


@rule("is distinct on some columns")
def _distinct_on(statement: Statement, version: int) -> object:
    return any(one.args.get("on") for one in statement.all_of(exp.Distinct))


@rule("locks the rows of the first table only, of several")
def _joined_lock(statement: Statement, version: int) -> object:
    return any(
        select.args.get("joins")
        for select in statement.all_of(exp.Select)
        if (source := select.args.get("from_") or select.args.get("from"))
        and any("UPDLOCK" in hint.sql().upper() for hint in source.find_all(exp.WithTableHint))
    )


def _order_of(select: exp.Select) -> list[exp.Ordered]:
    order = select.args.get("order")
    return [one for one in order.expressions if isinstance(one, exp.Ordered)] if order else []


# --- Conditions are not values, and values are not conditions -----------------------------------------------

_CONDITIONS = (
    exp.And | exp.Or | exp.Not | exp.EQ | exp.NEQ | exp.GT | exp.GTE | exp.LT | exp.LTE
    | exp.Like | exp.Escape | exp.In | exp.Is | exp.Between | exp.Exists
)  # fmt: skip
_JOINING = exp.And | exp.Or | exp.Not
_TAKING = exp.Where | exp.Having | exp.Check | exp.CheckColumnConstraint


@rule("uses a condition as a value")
def _condition_as_value(statement: Statement, version: int) -> object:
    return any(not _takes_condition(node) for node in statement.all_of(_CONDITIONS))


@rule("uses a value as a condition")
def _value_as_condition(statement: Statement, version: int) -> object:
    return any(not isinstance(_unwrapped(node), _CONDITIONS) for node in _places_for_conditions(statement))


def _takes_condition(node: exp.Expr) -> bool:
    parent = node.parent
    while isinstance(parent, exp.Paren):
        node, parent = parent, parent.parent
    if isinstance(parent, _JOINING | _TAKING) or (isinstance(parent, exp.Escape) and isinstance(node, exp.Like)):
        return True
    # WHEN … THEN is an If in the tree; the condition of a join is its `on`; `SET a = b` looks like a comparison.
    if isinstance(parent, exp.If | exp.Join):
        return node.arg_key in ("this", "on")
    return isinstance(parent, exp.Update) and isinstance(node, exp.EQ)


def _places_for_conditions(statement: Statement) -> Iterator[exp.Expr]:
    for node in statement.nodes:
        if isinstance(node, exp.And | exp.Or):
            yield from (node.left, node.right)
        elif isinstance(node, exp.Not | _TAKING | exp.If):
            yield node.this
        elif isinstance(node, exp.Join) and node.args.get("on"):
            yield node.args["on"]


@rule("compares several columns at once")
def _tuples(statement: Statement, version: int) -> object:
    return any(
        isinstance(_unwrapped(node.this), exp.Tuple) for node in statement.all_of(exp.In | exp.EQ | exp.GT | exp.LT)
    )


@rule("has a CASE of which every outcome is NULL")
def _null_case(statement: Statement, version: int) -> object:
    for case in statement.all_of(exp.Case):
        outcomes = [branch.args["true"] for branch in case.args["ifs"]] + [case.args.get("default") or exp.Null()]
        if all(isinstance(_unwrapped(one), exp.Null) for one in outcomes):
            return True
    return False


# --- Groups and sums ----------------------------------------------------------------------------------------


@rule("sums over a subquery or over a sum")
def _nested_aggregate(statement: Statement, version: int) -> object:
    return any(
        any(inner is not one for inner in one.find_all(exp.AggFunc, exp.Select))
        for one in statement.all_of(exp.AggFunc)
        if _summing(one)
    )


@rule("counts several columns at once")
def _counts_columns(statement: Statement, version: int) -> object:
    return any(
        len(one.expressions) > 1
        and (one.parent if isinstance(one.parent, exp.Select) else one).find_ancestor(exp.Select)
        for one in statement.all_of(exp.Distinct)
    )


@rule("groups by a subquery or by no column")
def _odd_group(statement: Statement, version: int) -> object:
    return any(
        one.find(exp.Select) or not one.find(exp.Column)
        for select in statement.all_of(exp.Select)
        for one in _group_of(select)
    )


@rule("selects a column that it does not group by")
def _ungrouped(statement: Statement, version: int) -> object:
    summing = [_summing(one) for one in statement.all_of(exp.AggFunc)]
    return any(
        _ungrouped_columns(select)
        for select in statement.all_of(exp.Select)
        if _group_of(select) or any(one is select for one in summing)
    )


def _group_of(select: exp.Select) -> list[exp.Expr]:
    group = select.args.get("group")
    return group.expressions if group else []


def _summing(one: exp.Expr) -> exp.Expr | None:
    """Return the query whose rows an aggregate adds up; None for an aggregate over a window."""
    return None if isinstance(one.parent, exp.Window) else one.find_ancestor(exp.Select)


def _ungrouped_columns(select: exp.Select) -> list[str]:
    grouped = {one.sql() for one in _group_of(select)}
    having = select.args.get("having")
    shown = [*select.expressions, *(_order_of(select)), *([having] if having else [])]
    own = {one.alias_or_name for one in _sources(select)}
    aliases = {one.alias for one in select.expressions}
    return [
        column.sql()
        for one in shown
        for column in one.find_all(exp.Column)
        if column.table in own and column.name not in aliases and not _inside(column, select, grouped)
    ]


def _sources(select: exp.Select) -> list[exp.Expr]:
    source = select.args.get("from_") or select.args.get("from")
    return ([source.this] if source else []) + [join.this for join in select.args.get("joins") or []]


def _inside(column: exp.Column, select: exp.Select, grouped: set[str]) -> bool:
    """Return whether it is within a sum, or within an expression that is grouped by."""
    node: exp.Expr | None = column
    while node is not None and node is not select:
        if isinstance(node, exp.AggFunc) or node.sql() in grouped:
            return True
        node = node.parent
    return False


@rule("has a subquery of several columns where one is meant")
def _wide_subquery(statement: Statement, version: int) -> object:
    for node in statement.all_of(exp.In | exp.EQ | exp.NEQ | exp.Case | exp.Alias):
        inner = node.args.get("query") if isinstance(node, exp.In) else node.this
        inner = inner.this if isinstance(inner, exp.Subquery) else inner
        if isinstance(inner, exp.Select) and len(inner.expressions) != 1:
            return True
    return False
