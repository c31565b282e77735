"""Run in the harness's environment: bfcl's command line, unable to execute what a model answers.

bfcl decodes an answer with `ast`, but hands arguments that are arithmetic to `eval`, and an
answer like ``f(x=__import__("os").system("...") + 1)`` is that to it. Here it is computed instead.
"""

import ast
import operator
from collections.abc import Callable

Number = int | float
OPERATORS: dict[type[ast.AST], Callable[[Number, Number], Number]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
LONGEST_POWER = 4096
"""Bits of the greatest integer that a power may become: 9**9**9 would never end."""


def arithmetic(expression: str) -> Number | str:
    """Compute numbers, signs, `OPERATORS` and joined strings; ValueError for anything else."""
    return _value(ast.parse(expression, mode="eval").body)


def _value(node: ast.AST) -> Number | str:
    match node:
        case ast.Constant(value=int() | float() | str() as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_number(operand)
        case ast.BinOp(
            left=ast.Constant(value=str() as left),
            op=ast.Add(),
            right=ast.Constant(value=str() as right),
        ):
            return left + right
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            return _apply(op, _number(left), _number(right))
    raise ValueError(f"not arithmetic: {ast.unparse(node)}")


def _number(node: ast.AST) -> Number:
    value = _value(node)
    if isinstance(value, str):
        raise ValueError(f"not a number: {ast.unparse(node)}")  # noqa: TRY004  as for all else
    return value


def _apply(op: ast.operator, left: Number, right: Number) -> Number:
    if isinstance(op, ast.Pow) and abs(right) * int(abs(left)).bit_length() > LONGEST_POWER:
        raise ValueError(f"too great a power: {left}**{right}")
    return OPERATORS[type(op)](left, right)


def main() -> None:
    """Put `arithmetic` where bfcl looks `eval` up, then be bfcl."""
    import bfcl.model_handler.utils  # noqa: PLC0415  only in bfcl's environment
    from bfcl.__main__ import cli  # noqa: PLC0415

    bfcl.model_handler.utils.eval = arithmetic
    cli()


if __name__ == "__main__":
    main()
