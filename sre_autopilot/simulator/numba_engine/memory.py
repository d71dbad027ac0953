"""Where rows stand in memory, one after the other: `Bank`, and how it is filled, laid out and told.

Slow to import: it loads the compiler.
"""

import operator
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.core.extending import models, register_model
from numba.core.imputils import lower_builtin
from numba.core.typing.templates import AbstractTemplate, infer_global, signature

from sre_autopilot.simulator.numba_engine.vector_type import WIDTH, Row, intrinsic, vector


class Bank(types.Type):
    """An address at which rows of a scalar type stand."""

    def __init__(self, of: types.Type) -> None:
        self.row = Row(of)
        super().__init__(name=f"Bank({of})")


@register_model(Bank)
class _BankModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Bank) -> None:
        super().__init__(dmm, fe_type, vector(fe_type.row).as_pointer())


@infer_global(operator.getitem)
class _FromBank(AbstractTemplate):
    def generic(self, args: Any, kws: Any) -> Any:
        bank, index = args
        if isinstance(bank, Bank) and isinstance(index, types.Integer):
            return signature(bank.row, bank, types.intp)
        return None


@lower_builtin(operator.getitem, Bank, types.intp)
def _load(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return builder.load(builder.gep(args[0], [args[1]]), align=8)


@infer_global(operator.setitem)
class _IntoBank(AbstractTemplate):
    def generic(self, args: Any, kws: Any) -> Any:
        bank, index, _value = args
        if isinstance(bank, Bank) and isinstance(index, types.Integer):
            return signature(types.none, bank, types.intp, bank.row)
        return None


@lower_builtin(operator.setitem, Bank, types.intp, Row)
def _store(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    builder.store(args[2], builder.gep(args[0], [args[1]]), align=8)
    return context.get_dummy_value()


@intrinsic
def bank(typing: Any, array: Any, first: Any) -> Any:
    """The rows of a contiguous array, WIDTH values each, from that value on."""
    of = Bank(array.dtype)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        data = context.make_array(sig.args[0])(context, builder, args[0]).data
        at = context.cast(builder, args[1], sig.args[1], types.intp)
        return builder.bitcast(builder.gep(data, [at]), vector(of.row).as_pointer())

    return of(array, first), codegen


@intrinsic
def bank_from(typing: Any, rows: Any, first: Any) -> Any:
    """The rows of a bank from that one on."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        at = context.cast(builder, args[1], sig.args[1], types.intp)
        return builder.gep(args[0], [at])

    return rows(rows, first), codegen


def banks_of(shape: Any) -> Any:
    """An intrinsic that lays the arrays of `shape`, a NamedTuple of NamedTuples of arrays whose
    first is left as it is given, into one array of reals: (first, array) to such a tuple of banks.
    """

    def banks(group: Any) -> types.Type:
        if not isinstance(group, tuple):
            return Bank(types.float64)
        return types.BaseTuple.from_types([banks(each) for each in group], type(group))

    @intrinsic
    def laid_out(typing: Any, first: Any, array: Any) -> Any:
        of = [first, *(banks(group) for group in shape[1:])]
        whole = types.BaseTuple.from_types(of, type(shape))

        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            data = context.make_array(sig.args[1])(context, builder, args[1]).data
            begun = 0

            def lay(group: Any, of: Any) -> Any:
                nonlocal begun
                if isinstance(group, tuple):
                    parts = [lay(each, kind) for each, kind in zip(group, of, strict=True)]
                    return context.make_tuple(builder, of, parts)
                at = builder.gep(data, [ir.IntType(64)(begun * WIDTH)])
                begun += len(group)
                return builder.bitcast(at, vector(of.row).as_pointer())

            rest = [lay(group, kind) for group, kind in zip(shape[1:], of[1:], strict=True)]
            return context.make_tuple(builder, whole, [args[0], *rest])

        return whole(first, array), codegen

    return laid_out


_STAGES = (
    ((0, 8, 1, 9, 4, 12, 5, 13), (2, 10, 3, 11, 6, 14, 7, 15)),
    ((0, 1, 8, 9, 4, 5, 12, 13), (2, 3, 10, 11, 6, 7, 14, 15)),
    ((0, 1, 2, 3, 8, 9, 10, 11), (4, 5, 6, 7, 12, 13, 14, 15)),
)
"""How two rows become two, in each stage of turning eight by eight."""


def _turned(builder: Any, rows: Any) -> Any:
    """Eight rows of eight as their eight columns."""

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
    fours = [paired(2, low, high) for low, high in zip(*twos, strict=True)]
    return [low for low, _ in fours] + [high for _, high in fours]


def spread_of(count: int) -> Any:
    """An intrinsic that writes `count` rows of a bank into an array of singles, (lanes, count),
    WIDTH lanes from the given one on.
    """

    @intrinsic
    def spread(typing: Any, rows: Any, array: Any, first: Any) -> Any:
        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            word = ir.IntType(64)
            data = context.make_array(sig.args[1])(context, builder, args[1]).data
            data = builder.gep(data, [builder.mul(args[2], word(count))])
            singles = []
            for row in range(count):
                real = builder.load(builder.gep(args[0], [word(row)]), align=8)
                singles.append(builder.fptrunc(real, ir.VectorType(ir.FloatType(), WIDTH)))
            whole = count - count % WIDTH
            for row in range(0, whole, WIDTH):
                for lane, turned in enumerate(_turned(builder, singles[row : row + WIDTH])):
                    at = builder.gep(data, [word(lane * count + row)])
                    builder.store(turned, builder.bitcast(at, turned.type.as_pointer()), align=4)
            for row in range(whole, count):
                for lane in range(WIDTH):
                    single = builder.extract_element(singles[row], ir.IntType(32)(lane))
                    builder.store(single, builder.gep(data, [word(lane * count + row)]))
            return context.get_dummy_value()

        return types.none(rows, array, types.intp), codegen

    return spread


def flags_spread_of(groups: int, size: int) -> Any:
    """An intrinsic that writes `groups` times `size` rows, at most eight, into an array of bytes,
    (lanes, groups * size), 1 where a row is above 0. It needs 8 - `size` bytes after the last lane.
    """

    @intrinsic
    def spread(typing: Any, rows: Any, array: Any, first: Any) -> Any:
        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            word, many = ir.IntType(64), ir.VectorType(ir.IntType(64), WIDTH)
            nothing = ir.Constant(many, [0] * WIDTH)
            data = context.make_array(sig.args[1])(context, builder, args[1]).data
            data = builder.gep(data, [builder.mul(args[2], word(groups * size))])
            words = []
            for group in range(groups):
                bytes_ = nothing
                for i in range(size):
                    at = builder.gep(args[0], [word(group * size + i)])
                    row = builder.load(at, align=8)
                    above = builder.fcmp_ordered(">", row, ir.Constant(row.type, [0.0] * WIDTH))
                    one = ir.Constant(many, [1 << 8 * i] * WIDTH)
                    bytes_ = builder.or_(bytes_, builder.select(above, one, nothing))
                words.append(bytes_)
            # In order: what each writes too far, the next one mends.
            for lane in range(WIDTH):
                for group in range(groups):
                    at = builder.gep(data, [word((lane * groups + group) * size)])
                    value = builder.extract_element(words[group], ir.IntType(32)(lane))
                    builder.store(value, builder.bitcast(at, word.as_pointer()), align=1)
            return context.get_dummy_value()

        return types.none(rows, array, types.intp), codegen

    return spread
