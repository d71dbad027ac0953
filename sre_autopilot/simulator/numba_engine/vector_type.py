"""A row of WIDTH lanes as a type of Numba's own: what fits a vector register, or a few of them.

`Row` is such a value, of reals, whole numbers, keys or flags. Operators and NumPy's functions mean
on rows what they mean on arrays, to the bit. Slow to import: it loads the compiler.
"""

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from llvmlite.binding import get_host_cpu_features
from numba.core import cgutils, extending, types
from numba.core.extending import models, register_model
from numba.core.imputils import lower_builtin, lower_cast
from numba.core.typing.templates import AbstractTemplate, infer_global, signature

WIDTH = 8
"""Reals of 64 bits in the widest register there is; narrower ones take two or four turns."""


class Row(types.Type):
    """WIDTH values of a scalar type."""

    def __init__(self, of: types.Type) -> None:
        self.of = of
        super().__init__(name=f"Row({of})")


intrinsic: Any = extending.intrinsic
REALS, WHOLES, KEYS, FLAGS = map(Row, (types.float64, types.int64, types.uint64, types.boolean))
_ELEMENTS: dict[Any, Any] = {
    types.float64: ir.DoubleType(),
    types.int64: ir.IntType(64),
    types.uint64: ir.IntType(64),
    types.boolean: ir.IntType(1),
}
_GATHERS_FAST = bool(get_host_cpu_features().get("avx512fp16"))
"""Intel's since 2023: there one gather takes half as long as eight loads. Older ones were slowed
down for safety; others have not been tried.
"""
_COMPARED = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
             "==": operator.eq, "!=": operator.ne}  # fmt: skip


def vector(row: Row) -> ir.VectorType:
    return ir.VectorType(_ELEMENTS[row.of], WIDTH)


@register_model(Row)
class _RowModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Row) -> None:
        super().__init__(dmm, fe_type, vector(fe_type))


def splat(builder: Any, scalar: Any) -> Any:
    row = ir.VectorType(scalar.type, WIDTH)
    first = builder.insert_element(ir.Constant(row, ir.Undefined), scalar, ir.IntType(32)(0))
    lanes = ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), [0] * WIDTH)
    return builder.shuffle_vector(first, ir.Constant(row, ir.Undefined), lanes)


@lower_cast(types.Number, Row)
@lower_cast(types.Boolean, Row)
@lower_cast(types.IntegerLiteral, Row)
@lower_cast(types.BooleanLiteral, Row)
def _splat(context: Any, builder: Any, fromty: Any, toty: Row, value: Any) -> Any:
    return splat(builder, context.cast(builder, value, fromty, toty.of))


@lower_cast(Row, Row)
def _convert(context: Any, builder: Any, fromty: Row, toty: Row, value: Any) -> Any:
    to, was = vector(toty), (fromty.of, toty.of)
    if fromty == toty or set(was) == {types.int64, types.uint64}:
        return value
    if fromty == FLAGS:
        return (builder.uitofp if toty == REALS else builder.zext)(value, to)
    if toty == REALS:
        return (builder.sitofp if fromty == WHOLES else builder.uitofp)(value, to)
    # Whole numbers, none of which is 2**63 or more.
    return builder.fptosi(value, to)


def together(args: Any) -> Row:
    """The row that all of them become before they meet."""
    of = [arg.of if isinstance(arg, Row) else arg for arg in args]
    if any(isinstance(each, types.Float) for each in of):
        return REALS
    if any(row == KEYS for row in args):
        return KEYS
    if all(isinstance(types.unliteral(each), types.Boolean) for each in of):
        return FLAGS
    return WHOLES


def _function(
    python: Any, count: int, told: Callable[[Row], Row], emit: Callable[..., Any]
) -> None:
    """Teaches `python`, of `count` arguments, what it means where one of them is a row.

    told: the row that comes of the rows that go in; emit: (builder, row, *values).
    """

    def generic(self: Any, args: Any, kws: Any) -> Any:
        if kws or len(args) != count or not any(isinstance(arg, Row) for arg in args):
            return None
        row = together(args)
        return signature(told(row), *[row] * count)

    infer_global(python)(
        type("RowTemplate", (AbstractTemplate,), {"key": python, "generic": generic})
    )

    @lower_builtin(python, *[Row] * count)
    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return emit(builder, sig.args[0], *args)


def _same(row: Row) -> Row:
    return row


def _arithmetic(python: Any, real: str, whole: str) -> None:
    def emit(builder: Any, row: Row, *values: Any) -> Any:
        return getattr(builder, real if row == REALS else whole)(*values)

    _function(python, 2, _same, emit)


def _comparison(sign: str, python: Any) -> None:
    def emit(builder: Any, row: Row, this: Any, that: Any) -> Any:
        if row == REALS:
            ordered = builder.fcmp_unordered if sign == "!=" else builder.fcmp_ordered
            return ordered(sign, this, that)
        return (builder.icmp_signed if row == WHOLES else builder.icmp_unsigned)(sign, this, that)

    _function(python, 2, lambda _: FLAGS, emit)


def _called(name: str) -> Callable[..., Any]:
    """LLVM's own function of the same meaning."""

    def emit(builder: Any, row: Row, value: Any) -> Any:
        of = ir.FunctionType(value.type, [value.type])
        function = cgutils.get_or_insert_function(builder.module, of, f"llvm.{name}.v{WIDTH}f64")
        return builder.call(function, [value])

    return emit


def _unlike(builder: Any, value: Any) -> Any:
    return builder.fcmp_unordered("uno", value, value)


def _extreme(sign: str) -> Callable[..., Any]:
    """As `np.maximum` and `np.minimum`: what is no number stays none."""

    def emit(builder: Any, row: Row, this: Any, that: Any) -> Any:
        best = builder.select(builder.fcmp_ordered(sign, this, that), this, that)
        return builder.select(_unlike(builder, this), this, best)

    return emit


def _known_extreme(builder: Any, row: Row, this: Any, that: Any) -> Any:
    """As `np.fmax`: a number rather than none."""
    first = builder.or_(builder.fcmp_ordered(">=", this, that), _unlike(builder, that))
    return builder.select(first, this, that)


_arithmetic(operator.add, "fadd", "add")
_arithmetic(operator.sub, "fsub", "sub")
_arithmetic(operator.mul, "fmul", "mul")
_function(operator.truediv, 2, _same, lambda builder, _, this, that: builder.fdiv(this, that))
_function(operator.and_, 2, _same, lambda builder, _, this, that: builder.and_(this, that))
_function(operator.or_, 2, _same, lambda builder, _, this, that: builder.or_(this, that))
_function(operator.xor, 2, _same, lambda builder, _, this, that: builder.xor(this, that))
_function(operator.rshift, 2, _same, lambda builder, row, this, that: (
    builder.ashr if row == WHOLES else builder.lshr)(this, that))  # fmt: skip
_function(operator.neg, 1, _same, lambda builder, _, value: builder.fneg(value))
for _sign, _python in _COMPARED.items():
    _comparison(_sign, _python)
for _name in ("sqrt", "floor", "rint"):
    _function(getattr(np, _name), 1, _same, _called(_name))
_function(np.isnan, 1, lambda _: FLAGS, lambda builder, _, value: _unlike(builder, value))
_function(np.maximum, 2, _same, _extreme(">="))
_function(np.minimum, 2, _same, _extreme("<="))
_function(np.fmax, 2, _same, _known_extreme)


@infer_global(operator.getitem)
class _FromTable(AbstractTemplate):
    """A table of reals, by a row of places in it, or by its line and such a row."""

    def generic(self, args: Any, kws: Any) -> Any:
        table, index = args
        if not isinstance(table, types.Array) or table.dtype != types.float64:
            return None
        if index == WHOLES and table.ndim == 1:
            return signature(REALS, table, WHOLES)
        in_line = isinstance(index, types.BaseTuple)
        if in_line and tuple(index)[1:] == (WHOLES,):
            return signature(REALS, table, types.Tuple((types.intp, WHOLES)))
        return None


def _gather(builder: Any, data: Any, places: Any) -> Any:
    """What stands at eight places: by one instruction, or by a load each."""
    row, word = vector(REALS), ir.IntType(64)
    if _GATHERS_FAST:
        begins = splat(builder, builder.ptrtoint(data, word))
        offsets = builder.shl(places, ir.Constant(places.type, [3] * WIDTH))
        addresses = ir.VectorType(data.type, WIDTH)
        addresses = builder.inttoptr(builder.add(begins, offsets), addresses)
        flags = ir.VectorType(_ELEMENTS[types.boolean], WIDTH)
        of = ir.FunctionType(row, [addresses.type, ir.IntType(32), flags, row])
        name = f"llvm.masked.gather.v{WIDTH}f64.v{WIDTH}p0"
        gather = cgutils.get_or_insert_function(builder.module, of, name)
        aligned, everywhere = ir.IntType(32)(8), ir.Constant(flags, [1] * WIDTH)
        return builder.call(gather, [addresses, aligned, everywhere, ir.Constant(row, None)])
    found = ir.Constant(row, ir.Undefined)
    for lane in range(WIDTH):
        at = ir.IntType(32)(lane)
        value = builder.load(builder.gep(data, [builder.extract_element(places, at)]))
        found = builder.insert_element(found, value, at)
    return found


@lower_builtin(operator.getitem, types.Array, Row)
def _look_up(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    table = context.make_array(sig.args[0])(context, builder, args[0])
    return _gather(builder, table.data, args[1])


@lower_builtin(operator.getitem, types.Array, types.Tuple)
def _look_up_in_line(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    table = context.make_array(sig.args[0])(context, builder, args[0])
    line, places = cgutils.unpack_tuple(builder, args[1])
    begins = builder.mul(line, cgutils.unpack_tuple(builder, table.shape)[1])
    return _gather(builder, builder.gep(table.data, [begins]), places)


@intrinsic
def select(typing: Any, condition: Any, this: Any, that: Any) -> Any:
    """Of two rows, the first where the condition holds."""
    row = together((this, that))

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.select(*args)

    return row(FLAGS, row, row), codegen


@intrinsic
def anywhere(typing: Any, condition: Any) -> Any:
    """Whether a flag is set in any lane."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        bits = builder.bitcast(args[0], ir.IntType(WIDTH))
        return builder.icmp_unsigned("!=", bits, bits.type(0))

    return types.boolean(FLAGS), codegen


def _as(row: Row, *, by_bits: bool) -> Any:
    """An intrinsic that turns any row into `row`, by value or bit by bit."""

    @intrinsic
    def turned(typing: Any, value: Any) -> Any:
        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            if by_bits:
                return builder.bitcast(args[0], vector(row))
            return context.cast(builder, args[0], sig.args[0], row)

        return row(value), codegen

    return turned


as_reals, as_wholes, as_keys = (_as(row, by_bits=False) for row in (REALS, WHOLES, KEYS))
bits_of_reals, reals_of_bits = _as(WHOLES, by_bits=True), _as(REALS, by_bits=True)
