"""A vector of WIDTH lanes as a Numba type of its own: the value of one row of the state.

`Vector` holds floats, signed or unsigned integers, or flags, in one register or a few. Operators
and NumPy's functions give the bits that they give on arrays. Nothing is left to the compiler's own
vectorizer, which finds nothing in code as branchy as the rules. Slow to import: loads the compiler.
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
"""Lanes: what the widest register (512 bits) holds of float64. LLVM splits it for narrower ones."""


class Vector(types.Type):
    """WIDTH values of a scalar type."""

    def __init__(self, of: types.Type) -> None:
        self.of = of
        super().__init__(name=f"Vector({of})")


intrinsic: Any = extending.intrinsic
FLOATS, INTS, UINTS, FLAGS = map(Vector, (types.float64, types.int64, types.uint64, types.boolean))
_ELEMENTS: dict[Any, Any] = {
    types.float64: ir.DoubleType(),
    types.int64: ir.IntType(64),
    types.uint64: ir.IntType(64),
    types.boolean: ir.IntType(1),
}
_FAST_GATHER = bool(get_host_cpu_features().get("avx512fp16"))
"""Whether one gather instruction beats eight loads. Measured: it takes half as long on Intel's
processors since 2023, which this feature tells apart; the microcode of older ones was slowed down
against a side channel; AMD's and Arm's have not been measured."""
_COMPARISONS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
                "==": operator.eq, "!=": operator.ne}  # fmt: skip


def llvm_type(vector: Vector) -> ir.VectorType:
    return ir.VectorType(_ELEMENTS[vector.of], WIDTH)


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Vector) -> None:
        super().__init__(dmm, fe_type, llvm_type(fe_type))


def broadcast(builder: Any, scalar: Any) -> Any:
    """A vector with `scalar` in every lane: LLVM's idiom, an insert and a shuffle of zeros."""
    kind = ir.VectorType(scalar.type, WIDTH)
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), scalar, ir.IntType(32)(0))
    lanes = ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), [0] * WIDTH)
    return builder.shuffle_vector(first, ir.Constant(kind, ir.Undefined), lanes)


@lower_cast(types.Number, Vector)
@lower_cast(types.Boolean, Vector)
@lower_cast(types.IntegerLiteral, Vector)
@lower_cast(types.BooleanLiteral, Vector)
def _cast_scalar(context: Any, builder: Any, fromty: Any, toty: Vector, value: Any) -> Any:
    return broadcast(builder, context.cast(builder, value, fromty, toty.of))


@lower_cast(Vector, Vector)
def _cast_vector(context: Any, builder: Any, fromty: Vector, toty: Vector, value: Any) -> Any:
    to, elements = llvm_type(toty), {fromty.of, toty.of}
    if fromty == toty or elements == {types.int64, types.uint64}:
        return value
    if fromty == FLAGS:
        return (builder.uitofp if toty == FLOATS else builder.zext)(value, to)
    if toty == FLOATS:
        return (builder.sitofp if fromty == INTS else builder.uitofp)(value, to)
    # For uint64 too: rules convert no float of 2**63 or more, and a signed conversion is faster.
    return builder.fptosi(value, to)


def common_type(args: Any) -> Vector:
    """The vector that operands of different types are converted to, as NumPy promotes them.

    But integers of different signedness stay integers: rules mix them in keys only.
    """
    of = [arg.of if isinstance(arg, Vector) else arg for arg in args]
    if any(isinstance(element, types.Float) for element in of):
        return FLOATS
    if any(arg == UINTS for arg in args):
        return UINTS
    if all(isinstance(types.unliteral(element), types.Boolean) for element in of):
        return FLAGS
    return INTS


def _define(
    python: Any, count: int, result: Callable[[Vector], Vector], emit: Callable[..., Any]
) -> None:
    """Defines the function `python` of `count` arguments for calls with a vector among them.

    result: from the common type of the arguments to that of the result.
    emit: (builder, common type, *values) to the LLVM value.
    """

    def generic(self: Any, args: Any, kws: Any) -> Any:
        if kws or len(args) != count or not any(isinstance(arg, Vector) for arg in args):
            return None
        common = common_type(args)
        return signature(result(common), *[common] * count)

    infer_global(python)(
        type("VectorTemplate", (AbstractTemplate,), {"key": python, "generic": generic})
    )

    @lower_builtin(python, *[Vector] * count)
    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return emit(builder, sig.args[0], *args)


def _same(common: Vector) -> Vector:
    return common


def _define_arithmetic(python: Any, float_instruction: str, int_instruction: str) -> None:
    def emit(builder: Any, common: Vector, *values: Any) -> Any:
        instruction = float_instruction if common == FLOATS else int_instruction
        return getattr(builder, instruction)(*values)

    _define(python, 2, _same, emit)


def _define_comparison(sign: str, python: Any) -> None:
    def emit(builder: Any, common: Vector, this: Any, that: Any) -> Any:
        if common == FLOATS:
            # With nan every comparison is false, but != is true.
            compare = builder.fcmp_unordered if sign == "!=" else builder.fcmp_ordered
            return compare(sign, this, that)
        compare = builder.icmp_signed if common == INTS else builder.icmp_unsigned
        return compare(sign, this, that)

    _define(python, 2, lambda _: FLAGS, emit)


def _llvm_function(name: str) -> Callable[..., Any]:
    """Emits a call of LLVM's own vector function `name`: an instruction, never libm."""

    def emit(builder: Any, common: Vector, value: Any) -> Any:
        of = ir.FunctionType(value.type, [value.type])
        function = cgutils.get_or_insert_function(builder.module, of, f"llvm.{name}.v{WIDTH}f64")
        return builder.call(function, [value])

    return emit


def _is_nan(builder: Any, value: Any) -> Any:
    return builder.fcmp_unordered("uno", value, value)


def _extreme(sign: str) -> Callable[..., Any]:
    """`np.maximum` or `np.minimum`: nan if either is nan; of equal values the first (-0.0, 0.0)."""

    def emit(builder: Any, common: Vector, this: Any, that: Any) -> Any:
        best = builder.select(builder.fcmp_ordered(sign, this, that), this, that)
        return builder.select(_is_nan(builder, this), this, best)

    return emit


def _fmax(builder: Any, common: Vector, this: Any, that: Any) -> Any:
    """`np.fmax`: the other value if one is nan."""
    first = builder.or_(builder.fcmp_ordered(">=", this, that), _is_nan(builder, that))
    return builder.select(first, this, that)


_define_arithmetic(operator.add, "fadd", "add")
_define_arithmetic(operator.sub, "fsub", "sub")
_define_arithmetic(operator.mul, "fmul", "mul")
_define(operator.truediv, 2, _same, lambda builder, _, this, that: builder.fdiv(this, that))
# Rules divide keys alone, by constants: no division by 0, and no sign to round towards.
_define(operator.floordiv, 2, _same, lambda builder, _, this, that: builder.udiv(this, that))
_define(operator.and_, 2, _same, lambda builder, _, this, that: builder.and_(this, that))
_define(operator.or_, 2, _same, lambda builder, _, this, that: builder.or_(this, that))
_define(operator.xor, 2, _same, lambda builder, _, this, that: builder.xor(this, that))
# In place they mean the same: a vector has no memory that others could see change.
_define_arithmetic(operator.imul, "fmul", "mul")
_define(operator.ixor, 2, _same, lambda builder, _, this, that: builder.xor(this, that))
_define(operator.rshift, 2, _same, lambda builder, common, this, that: (
    builder.ashr if common == INTS else builder.lshr)(this, that))  # fmt: skip
_define(operator.neg, 1, _same, lambda builder, _, value: builder.fneg(value))
for _sign, _python in _COMPARISONS.items():
    _define_comparison(_sign, _python)
for _name in ("sqrt", "floor", "rint"):
    _define(getattr(np, _name), 1, _same, _llvm_function(_name))
_define(np.isnan, 1, lambda _: FLAGS, lambda builder, _, value: _is_nan(builder, value))
_define(np.maximum, 2, _same, _extreme(">="))
_define(np.minimum, 2, _same, _extreme("<="))
_define(np.fmax, 2, _same, _fmax)


_ROW_AND_PLACES = types.Tuple((types.intp, INTS))


@infer_global(operator.getitem)
class _TableItem(AbstractTemplate):
    """`table[places]` and `table[row, places]` of a float table, `places` a vector of integers."""

    def generic(self, args: Any, kws: Any) -> Any:
        table, index = args
        if not isinstance(table, types.Array) or table.dtype != types.float64:
            return None
        if index == INTS and table.ndim == 1:
            return signature(FLOATS, table, INTS)
        in_row = isinstance(index, types.BaseTuple)
        if in_row and tuple(index)[1:] == (INTS,):
            return signature(FLOATS, table, _ROW_AND_PLACES)
        return None


def _gather(builder: Any, data: Any, places: Any) -> Any:
    """The eight values at `data[places]`: by one gather instruction, or by a load each."""
    kind, word = llvm_type(FLOATS), ir.IntType(64)
    if _FAST_GATHER:
        starts = broadcast(builder, builder.ptrtoint(data, word))
        # Places to byte offsets: a float64 has 2**3 bytes.
        offsets = builder.shl(places, ir.Constant(places.type, [3] * WIDTH))
        addresses = ir.VectorType(data.type, WIDTH)
        addresses = builder.inttoptr(builder.add(starts, offsets), addresses)
        flags = ir.VectorType(_ELEMENTS[types.boolean], WIDTH)
        of = ir.FunctionType(kind, [addresses.type, ir.IntType(32), flags, kind])
        name = f"llvm.masked.gather.v{WIDTH}f64.v{WIDTH}p0"
        gather = cgutils.get_or_insert_function(builder.module, of, name)
        alignment, all_lanes = ir.IntType(32)(8), ir.Constant(flags, [1] * WIDTH)
        return builder.call(gather, [addresses, alignment, all_lanes, ir.Constant(kind, None)])
    gathered = ir.Constant(kind, ir.Undefined)
    for number in range(WIDTH):
        lane = ir.IntType(32)(number)
        value = builder.load(builder.gep(data, [builder.extract_element(places, lane)]))
        gathered = builder.insert_element(gathered, value, lane)
    return gathered


# No bounds check in either: rules clip every place before they look it up.
@lower_builtin(operator.getitem, types.Array, Vector)
def _table_item(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    table = context.make_array(sig.args[0])(context, builder, args[0])
    return _gather(builder, table.data, args[1])


# This type alone: the class of all tuples would take every mixed index of others' code for one.
@lower_builtin(operator.getitem, types.Array, _ROW_AND_PLACES)
def _table_row_item(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    table = context.make_array(sig.args[0])(context, builder, args[0])
    row, places = cgutils.unpack_tuple(builder, args[1])
    start = builder.mul(row, cgutils.unpack_tuple(builder, table.shape)[1])
    return _gather(builder, builder.gep(table.data, [start]), places)


@intrinsic
def select(typing: Any, condition: Any, this: Any, that: Any) -> Any:
    """By lane: where the condition holds `this`, else `that`."""
    common = common_type((this, that))

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.select(*args)

    return common(FLAGS, common, common), codegen


@intrinsic
def any_flag(typing: Any, condition: Any) -> Any:
    """Whether a flag is set in any lane: eight flags are one byte, compared with 0."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        bits = builder.bitcast(args[0], ir.IntType(WIDTH))
        return builder.icmp_unsigned("!=", bits, bits.type(0))

    return types.boolean(FLAGS), codegen


def _conversion(vector: Vector, *, by_bits: bool) -> Any:
    """An intrinsic that turns a scalar or vector into `vector`, by value or bit by bit."""

    @intrinsic
    def converted(typing: Any, value: Any) -> Any:
        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            if by_bits:
                return builder.bitcast(args[0], llvm_type(vector))
            return context.cast(builder, args[0], sig.args[0], vector)

        return vector(value), codegen

    return converted


as_floats, as_ints, as_uints, as_flags = (
    _conversion(vector, by_bits=False) for vector in (FLOATS, INTS, UINTS, FLAGS)
)
bits_of_floats = _conversion(INTS, by_bits=True)
floats_of_bits = _conversion(FLOATS, by_bits=True)
