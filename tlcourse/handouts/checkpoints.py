"""Checkpoints: for each section of a lesson the code that somebody who is behind runs, to go on from there.

A checkpoint is the part of the lesson's own code that the rest of the lesson builds on: a backward slice (Weiser,
"Program Slicing", 1984). What only prints or draws is left out, and so are exercises and solutions. Nothing is
pickled: what takes long is in the course's cache already, or is computed again.
"""

import ast
import symtable
from collections.abc import Iterable
from functools import cache

# Calls that change nothing that a later cell could see. Whatever is not named here is taken to change what it is given.
PURE_ROOTS = {
    "print",
    "len",
    "sorted",
    "list",
    "dict",
    "set",
    "sum",
    "zip",
    "max",
    "min",
    "range",
    "any",
    "all",
}
PURE_ROOTS |= {"np", "enumerate", "tuple", "str", "int", "float", "isinstance"}
CHANGING = {
    "freeze",
    "unfreeze",
}  # of the course's calls, all others of which return what they do
PURE_METHODS = {
    *(
        "score",
        "predict",
        "predict_proba",
        "predict_labels",
        "extract_features",
        "activations",
        "attentions",
    ),
    *(
        "confusion",
        "crossing",
        "labels_for",
        "sample",
        "select",
        "with_classes",
        "tokens",
        "items",
        "keys",
        "values",
    ),
    *(
        "mean",
        "std",
        "min",
        "max",
        "sum",
        "argmax",
        "round",
        "ravel",
        "index",
        "get",
        "get_layer",
        "startswith",
    ),
    *(
        "split",
        "join",
        "rstrip",
        "strip",
        "lower",
        "replace",
        "count_params",
        "copy_network",
        "resolve",
        "iterdir",
    ),
}


def checkpoint(before: list[str], after: list[str]) -> str:
    """The statements of the cells `before` that the cells `after` need; each cell's are kept together."""
    functions = {
        statement.name: _free([statement])
        for cell in before
        for statement in ast.parse(cell).body
        if isinstance(statement, ast.FunctionDef)
    }
    needed = _with_functions(_free(ast.parse("\n".join(after)).body), functions)
    kept: list[str] = []
    for cell in reversed(before):
        statements = _needed_statements(cell, needed, functions)
        if statements:
            kept.append("\n".join(statements))
    return "\n\n".join(reversed(kept))


def _with_functions(needed: set[str], functions: dict[str, set[str]]) -> set[str]:
    """The names, and those that functions among them read: these may be made behind the function, before its call."""
    more = set().union(*(functions.get(name, ()) for name in needed)) - needed
    return _with_functions(needed | more, functions) if more else needed


def _needed_statements(
    cell: str, needed: set[str], functions: dict[str, set[str]]
) -> list[str]:
    """Walk a cell backwards. `needed` grows by what a kept statement reads and shrinks by what it defines."""
    kept = []
    for statement in reversed(ast.parse(cell).body):
        defined = _defined(statement)
        if isinstance(statement, ast.Delete) or not (
            defined & needed or _may_change(statement, needed)
        ):
            continue
        if isinstance(
            statement, ast.Assign | ast.FunctionDef | ast.Import | ast.ImportFrom
        ):
            needed -= defined
        needed |= _with_functions(_free([statement]), functions)
        kept.append(
            "\n".join(cell.splitlines()[statement.lineno - 1 : statement.end_lineno])
        )
    return kept[::-1]


def _free(statements: list[ast.stmt], bound: Iterable[str] = ()) -> set[str]:
    """What statements read before they define it; what a function reads counts where the function is defined."""
    free: set[str] = set()
    bound = set(bound)
    for statement in statements:
        blocks: list[list[ast.stmt]] = [
            getattr(statement, name, []) for name in ("body", "orelse", "finalbody")
        ]
        if isinstance(statement, ast.For | ast.With):
            heads = (
                [statement.iter]
                if isinstance(statement, ast.For)
                else [item.context_expr for item in statement.items]
            )
            for head in heads:
                free |= _read(head) - bound
            bound |= _defined(statement)
            for block in blocks:
                free |= _free(block, bound)
        elif isinstance(statement, ast.Try):
            blocks += [
                [ast.Expr(handler.type)]
                for handler in statement.handlers
                if handler.type
            ]
            for block in blocks:
                free |= _free(block, bound)
            caught = {handler.name for handler in statement.handlers if handler.name}
            for handler in statement.handlers:
                free |= _free(handler.body, bound | caught)
        else:
            free |= _read(statement) - bound
        bound |= _defined(statement)
    return free


def _defined(statement: ast.AST) -> set[str]:
    symbols, _ = _table(ast.unparse(statement))
    return {
        symbol.get_name()
        for symbol in symbols
        if symbol.is_assigned() or symbol.is_imported()
    }


def _read(statement: ast.AST) -> set[str]:
    """The names that a statement reads, inside functions and comprehensions too, where they are not made there."""
    symbols, inner = _table(ast.unparse(statement))
    read = {symbol.get_name() for symbol in symbols if symbol.is_referenced()}
    while inner:
        scope, *inner = inner
        read |= {
            symbol.get_name() for symbol in scope.get_symbols() if symbol.is_global()
        }
        inner += scope.get_children()
    return read


@cache
def _table(source: str) -> tuple[list[symtable.Symbol], list[symtable.SymbolTable]]:
    table = symtable.symtable(source, "cell", "exec")
    return table.get_symbols(), table.get_children()


def _may_change(statement: ast.stmt, needed: set[str]) -> bool:
    """Whether a statement may change something that is needed, without giving it a new name."""
    if isinstance(statement, ast.FunctionDef | ast.Import | ast.ImportFrom):
        return False
    for node in ast.walk(statement):
        targets = (
            node.targets
            if isinstance(node, ast.Assign)
            else [getattr(node, "target", None)]
        )
        if any(isinstance(target, ast.Attribute | ast.Subscript) for target in targets):
            if any(_root(target) in needed for target in targets if target is not None):
                return True
        if (
            isinstance(node, ast.Call)
            and not _is_pure(node)
            and _mentioned(node) & needed
        ):
            return True
    return False


def _is_pure(call: ast.Call) -> bool:
    root, name = (
        _root(call.func),
        getattr(call.func, "attr", getattr(call.func, "id", "")),
    )
    if root == "tl":
        return name not in CHANGING
    makes_an_object = name[:1].isupper()
    return (
        makes_an_object
        or root in PURE_ROOTS
        or (isinstance(call.func, ast.Attribute) and name in PURE_METHODS)
    )


def _root(node: ast.AST) -> str | None:
    """The name at the beginning of `name.attribute[place](…)`."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else None


def _mentioned(node: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)} - {
        "tl",
        "np",
        "print",
    }
