"""Where vectors stand in memory: `RowPointer`, and how rows of results are written for learners.

Checks no bounds: whoever makes a pointer sees to it that the array is long enough. Slow to import:
loads the compiler.
"""

import operator
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.core.extending import models, register_model
from numba.core.imputils import lower_builtin
from numba.core.typing.templates import AbstractTemplate, infer_global, signature

from sre_autopilot.simulator.numba_engine.vector_type import (
    WIDTH,
    Vector,
    intrinsic,
    llvm_type,
)

MASK_PADDING = 8
"""Bytes that an array written by `mask_writer` has after the last lane's mask."""


class RowPointer(types.Type):
    """An address at which vectors stand one after the other: `pointer[row]` is a Vector."""

    def __init__(self, of: types.Type) -> None:
        self.vector = Vector(of)
        super().__init__(name=f"RowPointer({of})")


@register_model(RowPointer)
class _RowPointerModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: RowPointer) -> None:
        super().__init__(dmm, fe_type, llvm_type(fe_type.vector).as_pointer())


@infer_global(operator.getitem)
class _GetRow(AbstractTemplate):
    def generic(self, args: Any, kws: Any) -> Any:
        rows, index = args
        if isinstance(rows, RowPointer) and isinstance(index, types.Integer):
            return signature(rows.vector, rows, types.intp)
        return None


# Aligned to 8 bytes only: rows of a caller's array may begin anywhere, and an unaligned load of
# an aligned address costs nothing.
@lower_builtin(operator.getitem, RowPointer, types.intp)
def _load_row(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return builder.load(builder.gep(args[0], [args[1]]), align=8)


@infer_global(operator.setitem)
class _SetRow(AbstractTemplate):
    def generic(self, args: Any, kws: Any) -> Any:
        rows, index, _value = args
        if isinstance(rows, RowPointer) and isinstance(index, types.Integer):
            return signature(types.none, rows, types.intp, rows.vector)
        return None


@lower_builtin(operator.setitem, RowPointer, types.intp, Vector)
def _store_row(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    builder.store(args[2], builder.gep(args[0], [args[1]]), align=8)
    return context.get_dummy_value()


@intrinsic
def rows_at(typing: Any, array: Any, first: Any) -> Any:
    """The rows of a contiguous array, WIDTH values each, beginning at value number `first`."""
    of = RowPointer(array.dtype)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        data = context.make_array(sig.args[0])(context, builder, args[0]).data
        place = context.cast(builder, args[1], sig.args[1], types.intp)
        return builder.bitcast(builder.gep(data, [place]), llvm_type(of.vector).as_pointer())

    return of(array, first), codegen


@intrinsic
def pointer_to_row(typing: Any, rows: Any, first: Any) -> Any:
    """A pointer to the same memory, with row `first` as row 0."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        place = context.cast(builder, args[1], sig.args[1], types.intp)
        return builder.gep(args[0], [place])

    return rows(rows, first), codegen


def tuple_of_pointers(shape: Any) -> Any:
    """An intrinsic (first, array) to a tuple like `shape`, with pointers into `array` as leaves.

    shape: a NamedTuple of NamedTuples of arrays (of which the lengths count), except its first
    field, in whose place the intrinsic puts `first`. The arrays' rows stand in `array` (float64)
    one after the other.
    """

    def pointers(group: Any) -> types.Type:
        if not isinstance(group, tuple):
            return RowPointer(types.float64)
        return types.BaseTuple.from_types([pointers(field) for field in group], type(group))

    @intrinsic
    def laid_out(typing: Any, first: Any, array: Any) -> Any:
        of = [first, *(pointers(group) for group in shape[1:])]
        whole = types.BaseTuple.from_types(of, type(shape))

        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            data = context.make_array(sig.args[1])(context, builder, args[1]).data
            rows_before = 0

            def lay_out(group: Any, of: Any) -> Any:
                nonlocal rows_before
                if isinstance(group, tuple):
                    parts = [lay_out(field, kind) for field, kind in zip(group, of, strict=True)]
                    return context.make_tuple(builder, of, parts)
                start = builder.gep(data, [ir.IntType(64)(rows_before * WIDTH)])
                rows_before += len(group)
                return builder.bitcast(start, llvm_type(of.vector).as_pointer())

            rest = [lay_out(group, kind) for group, kind in zip(shape[1:], of[1:], strict=True)]
            return context.make_tuple(builder, whole, [args[0], *rest])

        return whole(first, array), codegen

    return laid_out


# An 8 x 8 transpose in three stages of shuffles, by pairs, fours and eights. Each stage makes two
# vectors of two; a number below 8 is a lane of the first, from 8 on a lane of the second.
_STAGES = (
    ((0, 8, 1, 9, 4, 12, 5, 13), (2, 10, 3, 11, 6, 14, 7, 15)),
    ((0, 1, 8, 9, 4, 5, 12, 13), (2, 3, 10, 11, 6, 7, 14, 15)),
    ((0, 1, 2, 3, 8, 9, 10, 11), (4, 5, 6, 7, 12, 13, 14, 15)),
)


def _transposed(builder: Any, rows: Any) -> Any:
    """Eight vectors of eight as their eight columns, in 24 shuffles instead of 64 stores."""

    def paired(stage: int, this: Any, that: Any) -> Any:
        index = ir.VectorType(ir.IntType(32), WIDTH)
        return [
            builder.shuffle_vector(this, that, ir.Constant(index, lanes))
            for lanes in _STAGES[stage]
        ]

    ones = [paired(0, rows[i], rows[i + 1]) for i in (0, 2, 4, 6)]
    twos = [
        [*paired(1, ones[i][0], ones[i + 1][0]), *paired(1, ones[i][1], ones[i + 1][1])]
        for i in (0, 2)
    ]
    fours = [paired(2, first, second) for first, second in zip(*twos, strict=True)]
    return [first for first, _ in fours] + [second for _, second in fours]


def feature_writer(count: int) -> Any:
    """An intrinsic (rows, array, first): `count` rows of lanes into rows of a learner's array.

    array: (lanes, count) float32, of which it writes lanes first..first + WIDTH - 1.
    """

    @intrinsic
    def write(typing: Any, rows: Any, array: Any, first: Any) -> Any:
        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            word = ir.IntType(64)
            data = context.make_array(sig.args[1])(context, builder, args[1]).data
            data = builder.gep(data, [builder.mul(args[2], word(count))])
            singles = []
            for row in range(count):
                value = builder.load(builder.gep(args[0], [word(row)]), align=8)
                singles.append(builder.fptrunc(value, ir.VectorType(ir.FloatType(), WIDTH)))
            whole = count - count % WIDTH
            for row in range(0, whole, WIDTH):
                for lane, column in enumerate(_transposed(builder, singles[row : row + WIDTH])):
                    place = builder.gep(data, [word(lane * count + row)])
                    builder.store(column, builder.bitcast(place, column.type.as_pointer()), align=4)
            # What is left over, fewer than WIDTH rows, value by value.
            for row in range(whole, count):
                for lane in range(WIDTH):
                    single = builder.extract_element(singles[row], ir.IntType(32)(lane))
                    builder.store(single, builder.gep(data, [word(lane * count + row)]))
            return context.get_dummy_value()

        return types.none(rows, array, types.intp), codegen

    return write


def mask_writer(groups: int, size: int) -> Any:
    """An intrinsic (rows, array, first): `groups` times `size` rows of flags into bytes of masks.

    size: 8 at most.
    array: int8, `groups * size` bytes a lane and MASK_PADDING more; it writes lanes
    first..first + WIDTH - 1, and a byte is 1 where its row is above 0.
    """

    @intrinsic
    def write(typing: Any, rows: Any, array: Any, first: Any) -> Any:
        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            word, words = ir.IntType(64), ir.VectorType(ir.IntType(64), WIDTH)
            zero = ir.Constant(words, [0] * WIDTH)
            data = context.make_array(sig.args[1])(context, builder, args[1]).data
            data = builder.gep(data, [builder.mul(args[2], word(groups * size))])
            packed = []
            # A group's flags become the bytes of one 64-bit word a lane, lowest byte first.
            for group in range(groups):
                bytes_ = zero
                for i in range(size):
                    place = builder.gep(args[0], [word(group * size + i)])
                    row = builder.load(place, align=8)
                    above = builder.fcmp_ordered(">", row, ir.Constant(row.type, [0.0] * WIDTH))
                    one = ir.Constant(words, [1 << 8 * i] * WIDTH)
                    bytes_ = builder.or_(bytes_, builder.select(above, one, zero))
                packed.append(bytes_)
            # Each store is 8 bytes for a group of `size`: the bytes too many are overwritten by
            # the next store, and those of the very last one lie in the padding.
            for lane in range(WIDTH):
                for group in range(groups):
                    place = builder.gep(data, [word((lane * groups + group) * size)])
                    value = builder.extract_element(packed[group], ir.IntType(32)(lane))
                    builder.store(value, builder.bitcast(place, word.as_pointer()), align=1)
            return context.get_dummy_value()

        return types.none(rows, array, types.intp), codegen

    return write
