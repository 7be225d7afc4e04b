"""Raising does not depend on how a graph is spelled: rewrites that keep a golden graph's meaning give the same IR, poisoned twins do not.

usage: run_rewrites.py DS_COMPILE GOLDEN [--all] [--only TEXT] [--seed N] [--rounds N] [--seconds N]

Each golden file with a cache is rewritten at random (renames, Identity, operands of commutative ops swapped, transposes and casts
inserted in inverse pairs and moved, nodes reordered, the key that all heads share taken apart, products with weights of each head spelled
otherwise) and raised with --mode=lm; the result must be the original's up to names and the order of operations. Its twins with one thing
poisoned (another epsilon in one norm, one mask bound off by one, the sign of one rotation, or of one head of it, or of the shared key in one
head, a bias added to the weights of experts, the worst experts chosen, weights of heads exchanged) must not. Without --all a few files and
rounds, within --seconds. Seeds are printed; --seed repeats a run. Ends with `N passed, N failed`.
"""
import argparse
import glob
import hashlib
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, os.path.dirname(__file__))
from run_golden import GRAPH_ONLY, not_yet  # noqa: E402

COMMUTATIVE = ("Add", "Mul", "And", "Or", "Max", "Min", "Equal")
UNARY = ("Neg", "Cos", "Sin", "Sqrt", "Reciprocal", "Sigmoid", "Not", "Cast", "IsNaN", "Exp")
WIDER = {TensorProto.FLOAT: TensorProto.DOUBLE, TensorProto.FLOAT16: TensorProto.FLOAT, TensorProto.BFLOAT16: TensorProto.FLOAT}

# ----- the IR without names ------------------------------------------------------------------------------------------------------------
OPERAND = re.compile(r"%[A-Za-z0-9_]+(?:#\d+)?")
SYMBOL = re.compile(r'@(?:"[^"]*"|[\w.$-]+)')
RANGE = re.compile(r'#ds\.file_range<"([^"]*)", (\d+), (\d+)>')
SORTED = re.compile(r"ds\.elementwise\s+(add|mul|and|or|max|min|eq) ")


def sha(text):
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Canonical:
    """The values of the module's function, each known by what made it: digests of op, attributes, types, and operands' digests."""

    def __init__(self, text):
        self.digests, parameters, values = {}, {}, {}
        self.text = text
        self.result = None
        for line in text.splitlines():
            line = line.strip()
            if line.startswith("ds.parameter"):
                name, rest = re.match(r"ds\.parameter (@\S+) : (.*)", line).groups()
                parameters[name] = sha(rest.split(" = ")[0] + self.contents(rest))
            elif line.startswith("func.func"):
                for i, name in enumerate(re.findall(r"(%\w+): ", line)):
                    values[name] = f"argument {i}"
                # Of the signature the types alone: inputs have names.
                self.signature = re.sub(r"\{[^}]*\}", "", line.split("(", 1)[1])
            elif line.startswith(("return", "%")):
                left, right = line.split(" = ", 1) if line.startswith("%") else ("", line)
                right = SYMBOL.sub(lambda m: parameters.get(m[0], m[0]), right)
                operands = [values[m] for m in OPERAND.findall(right)]
                if SORTED.match(right):
                    # Types of the operands go with them.
                    types = re.search(r" : \((.*)\) -> ", right)[1].split(", ")
                    pairs = sorted(zip(operands, types))
                    operands, types = [p[0] for p in pairs], [p[1] for p in pairs]
                    right = re.sub(r" : \(.*\) -> ", f" : ({', '.join(types)}) -> ", right)
                iterator = iter(operands)
                full = OPERAND.sub(lambda m: next(iterator), right)
                digest = sha(full)
                self.digests[digest] = right
                names = [n.strip() for n in left.split(",")] if left else []
                for name in names:
                    base, _, count = name.partition(":")
                    values[base] = digest
                    for i in range(int(count or 0)):
                        values[f"{base}#{i}"] = f"{digest}#{i}"
                if not left:
                    self.result = sha(digest + self.signature)

    @staticmethod
    def contents(source):
        data = b""
        for path, offset, length in RANGE.findall(source):
            with open(path, "rb") as f:
                f.seek(int(offset))
                data += f.read(int(length))
        return hashlib.sha256(data).hexdigest() if data else source

    def first_difference(self, other):
        for digest, line in self.digests.items():
            if digest not in other.digests:
                return line[:200]
        return "nothing: the other has more"


def compile_model(compiler, path, mode="lm"):
    # The raised model: later stages join products in the order in which they stand, and compute with weights.
    with tempfile.TemporaryDirectory() as work:
        result = subprocess.run([compiler, path, "--emit=ds-opt", f"--mode={mode}", f"--save-temps={work}"], capture_output=True, text=True)
        if result.returncode not in (0, 1):
            return None, f"exit code {result.returncode}: {result.stderr.strip()[:300]}"
        if result.returncode:
            return None, result.stderr.strip()[:300]
        with open(os.path.join(work, "1-raised.mlir")) as file:
            return Canonical(file.read()), None


# ----- rewrites ------------------------------------------------------------------------------------------------------------------------
def subgraphs(node):
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def reads(node):
    """Names of values that a node reads, its branches and loops included."""
    names = set(node.input)
    for graph in subgraphs(node):
        names.update(output.name for output in graph.output)
        for inner in graph.node:
            names |= reads(inner)
    return names


class Rewriter:
    def __init__(self, model, seed):
        self.model, self.graph = model, model.graph
        self.random, self.count = random.Random(seed), 0
        self.types, self.shapes = {}, {}
        try:
            inferred = onnx.shape_inference.infer_shapes(model, data_prop=False).graph
        except Exception:  # noqa: BLE001  contrib operators: what is known without
            inferred = model.graph
        for info in [*inferred.value_info, *inferred.input, *inferred.output]:
            if info.type.tensor_type.HasField("shape"):
                dims = info.type.tensor_type.shape.dim
                self.types[info.name] = (info.type.tensor_type.elem_type, len(dims))
                self.shapes[info.name] = [dim.dim_value for dim in dims]  # 0: not fixed
        for tensor in self.graph.initializer:
            self.types[tensor.name] = (tensor.data_type, len(tensor.dims))
        self.sequences = {name for node in self.graph.node if "Sequence" in node.op_type for name in node.output}

    def fresh(self, kind="v"):
        self.count += 1
        return f"{kind}_{self.count}_{self.random.randrange(1 << 30)}"

    def node(self, op, inputs, output=None, at=None, **attributes):
        """A new node, before node number `at`; its output's name."""
        output = output or self.fresh()
        node = helper.make_node(op, inputs, [output], name=self.fresh("n"), **attributes)
        if op == "Identity" or op == "Transpose":
            known = self.types.get(inputs[0])
            if known:
                self.types[output] = known
        self.graph.node.insert(len(self.graph.node) if at is None else at, node)
        return output

    def uses(self):
        """(index of a node, index of an input) of every use of a value."""
        return [(i, j) for i, node in enumerate(self.graph.node) for j, name in enumerate(node.input) if name and name not in self.sequences]

    def insert_identities(self, count):
        for _ in range(count):
            i, j = self.random.choice(self.uses())
            name = self.graph.node[i].input[j]
            new = self.fresh()
            self.graph.node[i].input[j] = new
            self.node("Identity", [name], new, i)

    def swap_operands(self):
        for node in self.graph.node:
            if node.domain == "" and node.op_type in COMMUTATIVE and len(node.input) == 2 and self.random.random() < 0.5:
                node.input[:] = list(node.input)[::-1]

    def permutation(self, rank):
        order = list(range(rank))
        self.random.shuffle(order)
        return order, [order.index(d) for d in range(rank)]

    def insert_pairs(self, count):
        """Transposes, or casts to a wider type, and back, on a use."""
        uses, constants = self.uses(), {tensor.name for tensor in self.graph.initializer}
        self.random.shuffle(uses)
        for i, j in uses:
            # An insertion moves later nodes: find the node again by a name of its own.
            if count == 0:
                break
            node = self.graph.node[i]
            known = self.types.get(node.input[j])
            # Operators of other domains may ask for constants, and packed weights are bytes all the way.
            if not known or known[0] == TensorProto.UINT8 or (node.domain != "" and (j > 0 or node.input[j] in constants)):
                continue
            element, rank = known
            new, count = self.fresh(), count - 1
            if element in WIDER and self.random.random() < 0.4:
                wide = self.fresh()
                inputs = node.input[j]
                node.input[j] = new
                self.node("Cast", [inputs], wide, i, to=WIDER[element])
                self.node("Cast", [wide], new, i + 1, to=element)
            elif rank >= 2:
                order, inverse = self.permutation(rank)
                inputs, turned = node.input[j], self.fresh()
                node.input[j] = new
                self.node("Transpose", [inputs], turned, i, perm=order)
                self.node("Transpose", [turned], new, i + 1, perm=inverse)
            else:
                count += 1
                continue
            uses[:] = [(a + 2 if a >= i else a, b) for a, b in uses]

    def move_transposes(self, count):
        """op(x) → transpose⁻¹(op(transpose(x))) around ops that work element by element."""
        candidates = [n for n in self.graph.node if n.domain == "" and n.op_type in UNARY and self.types.get(n.input[0], (0, 0))[1] >= 2]
        self.random.shuffle(candidates)
        for node in candidates[:count]:
            order, inverse = self.permutation(self.types[node.input[0]][1])
            i = list(self.graph.node).index(node)
            output, inner = node.output[0], self.fresh()
            turned = self.node("Transpose", [node.input[0]], None, i, perm=order)
            node = self.graph.node[i + 1]
            node.input[0], node.output[0] = turned, inner
            self.node("Transpose", [inner], output, i + 2, perm=inverse)

    def reorder(self):
        """A random topological order."""
        made = {name for node in self.graph.node for name in node.output if name}
        waiting, ready, users = {}, [], {}
        nodes = list(self.graph.node)
        for i, node in enumerate(nodes):
            needs = {name for name in reads(node) if name in made}
            waiting[i] = len(needs)
            for name in needs:
                users.setdefault(name, []).append(i)
            if not needs:
                ready.append(i)
        order = []
        while ready:
            i = ready.pop(self.random.randrange(len(ready)))
            order.append(nodes[i])
            for name in nodes[i].output:
                for user in users.get(name, []):
                    waiting[user] -= 1
                    if waiting[user] == 0:
                        ready.append(user)
        copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in order]
        del self.graph.node[:]
        self.graph.node.extend(copies)

    def rename(self):
        names = {}

        def new(name):
            if name and name not in names:
                names[name] = self.fresh("x")
            return names.get(name, name)

        def rename_graph(graph):
            for node in graph.node:
                node.name = self.fresh("n")
                node.input[:] = [new(n) for n in node.input]
                node.output[:] = [new(n) for n in node.output]
                for inner in subgraphs(node):
                    rename_graph(inner)
            for item in [*graph.input, *graph.output, *graph.initializer]:
                item.name = new(item.name)
            del graph.value_info[:]

        rename_graph(self.graph)

    def run(self):
        size = len(self.graph.node)
        self.part_shared_key()
        self.spell_head_products()
        self.swap_operands()
        self.move_transposes(max(2, size // 40))
        self.insert_pairs(max(2, size // 15))
        self.insert_identities(max(3, size // 10))
        self.reorder()
        self.rename()
        return self.model

    # ----- poison: each returns what was changed, or nothing where the graph has no such place -----------------------------------------
    def value_of(self, name):
        for tensor in self.graph.initializer:
            if tensor.name == name and tensor.data_location != TensorProto.EXTERNAL:
                return numpy_helper.to_array(tensor)
        for node in self.graph.node:
            if node.op_type == "Constant" and name in node.output:
                for attribute in node.attribute:
                    if attribute.name == "value":
                        return numpy_helper.to_array(attribute.t)
        return None

    def new_constant(self, array):
        name = self.fresh("c")
        self.graph.initializer.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def poison_epsilon(self):
        places = []
        for node in self.graph.node:
            for attribute in node.attribute:
                if attribute.name == "epsilon":
                    places.append(lambda a=attribute: setattr(a, "f", a.f * 10))
            if node.op_type == "Add":
                for j, name in enumerate(node.input):
                    value = self.value_of(name)
                    if value is not None and value.size == 1 and 0 < float(value.reshape(())) < 1e-4:
                        places.append(lambda n=node, k=j, v=value: n.input.__setitem__(k, self.new_constant((v * 10).astype(v.dtype))))
        if places:
            self.random.choice(places)()
        return bool(places)

    def poison_mask(self):
        strict = {"LessOrEqual": "Less", "GreaterOrEqual": "Greater", "Less": "LessOrEqual", "Greater": "GreaterOrEqual"}
        places = [n for n in self.graph.node if n.op_type in strict and
                  all(self.types.get(name, (0, 0))[0] in (TensorProto.INT64, TensorProto.INT32) for name in n.input)
                  and max(self.types[name][1] for name in n.input) >= 2]
        if places:
            node = self.random.choice(places)
            node.op_type = strict[node.op_type]
        return bool(places)

    def poison_rotation(self, head):
        """The sign of one rotation's sine, of one head or of all."""
        negations = [i for i, n in enumerate(self.graph.node) if n.op_type == "Neg" and self.types.get(n.input[0], (0, 0))[1] == 4]
        if negations and (not head or self.heads):
            i = self.random.choice(negations)
            node = self.graph.node[i]
            if not head:
                node.op_type = "Identity"
                return True
            signs = np.ones((1, self.heads, 1, 1), helper.tensor_dtype_to_np_dtype(self.types[node.input[0]][0]))
            signs[0, self.random.randrange(self.heads)] = -1
            output, plain = node.output[0], self.fresh()
            node.output[0] = plain
            self.node("Mul", [plain, self.new_constant(signs)], output, i + 1)
            return True
        rotary = [(i, n) for i, n in enumerate(self.graph.node) if n.op_type == "RotaryEmbedding"]
        if rotary and not head:
            i, node = self.random.choice(rotary)
            sine = 3 if node.domain else 2
            negated = self.fresh()
            name = node.input[sine]
            node.input[sine] = negated
            self.node("Neg", [name], negated, i)
            return True
        for node in self.graph.node:
            for attribute in node.attribute:
                if node.op_type == "GroupQueryAttention" and attribute.name == "do_rotary" and attribute.i and not head:
                    attribute.i = 0
                    return True
        return False

    def choices(self):
        """(gather of mixing weights, top-k) of every choice of experts."""
        made = {name: node for node in self.graph.node for name in node.output}
        gathers = [node for node in self.graph.node if node.op_type == "GatherElements"]
        return [(gather, made[gather.input[1]]) for gather in gathers
                if gather.input[1] in made and made[gather.input[1]].op_type == "TopK"]

    def poison_weights(self):
        """The bias added to the mixing weights."""
        sums = {name: node.output[0] for node in self.graph.node if node.op_type == "Add" for name in node.input}
        places = [gather for gather, _ in self.choices() if gather.input[0] in sums]
        if places:
            gather = self.random.choice(places)
            biased = sums[gather.input[0]]
            nodes = list(self.graph.node)
            if nodes.index(gather) < max(i for i, n in enumerate(nodes) if biased in n.output):
                return False
            gather.input[0] = biased
        return bool(places)

    def poison_choice(self):
        """The experts with the smallest scores."""
        places = [topk for _, topk in self.choices()]
        if places:
            topk = self.random.choice(places)
            scores, negated = topk.input[0], self.fresh()
            topk.input[0] = negated
            self.node("Neg", [scores], negated, list(self.graph.node).index(topk))
        return bool(places)

    def head_axis(self, name):
        """The dimension of heads of a value [batch, heads, length, width] or [batch, length, heads, width]; None for others."""
        shape = self.shapes.get(name, [])
        fixed = [d for d in (1, 2) if len(shape) == 4 and shape[d] > 1]
        return fixed[0] if len(fixed) == 1 and shape[3] > 1 else None

    def shared_keys(self):
        """(index, node, dimension of heads) of what repeats the rotated key that heads of latent attention share."""
        places = [(i, node, self.head_axis(node.output[0])) for i, node in enumerate(self.graph.node) if node.op_type == "Expand"]
        return [(i, node, axis) for i, node, axis in places
                if axis is not None and self.shapes.get(node.input[0], [1] * 4)[axis] in (0, 1)]

    def part_heads(self, i, name, axis, heads, change):
        """Before node number i: `name` taken apart by heads and joined again, what `change` makes of one of them; the result and its index."""
        one = self.random.randrange(heads)
        numbers = {n: self.new_constant(np.array([n], np.int64)) for n in {0, 1, axis, one, one + 1, heads}}
        parts = []
        for first, last in (0, one), (one, one + 1), (one + 1, heads):
            if first == last:
                continue
            parts.append(self.node("Slice", [name, numbers[first], numbers[last], numbers[axis]], at=i))
            i += 1
            if first == one:
                parts[-1], i = change(parts[-1], i)
        return parts, i

    def head_products(self):
        """Products of rows of heads with weights of each, bshk,hkm->bshm or bshk,hmk->bshm: the node, and the letters k, m."""
        ranks = {tensor.name: len(tensor.dims) for tensor in self.graph.initializer}
        for node in list(self.graph.node):
            equation = next((a.s.decode() for a in node.attribute if a.name == "equation"), "").replace(" ", "")
            match = re.fullmatch(r"bsh(\w),h(\w\w)->bsh(\w)", equation) if node.op_type == "Einsum" else None
            if match and ranks.get(node.input[1]) == 3 and sorted(match[2]) == sorted(match[1] + match[3]):
                yield node, match[1], match[3], match[2]

    def spell_head_products(self):
        for node, k, m, order in self.head_products():
            (rows, weights), output, i = node.input, node.output[0], list(self.graph.node).index(node)
            spelling = self.random.choice(("weights first", "weights on the left", "four dimensions", "row by row"))
            if spelling == "weights first":
                node.input[:] = [weights, rows]
                node.attribute[0].s = f"h{order},bsh{k}->bsh{m}".encode()
                continue
            self.graph.node.remove(node)

            def then(op, inputs, output=None, **attributes):
                nonlocal i
                i += 1
                return self.node(op, inputs, output, i - 1, **attributes)

            if order != (m + k if spelling == "weights on the left" else k + m):
                weights = then("Transpose", [weights], perm=[0, 2, 1])
            if spelling == "weights on the left":  # [H, M, K] · [B, H, K, S]
                across = then("Transpose", [rows], perm=[0, 2, 3, 1])
                then("Transpose", [then("MatMul", [weights, across])], output, perm=[0, 3, 1, 2])
            elif spelling == "four dimensions":  # [B, H, S, K] · [1, H, K, M]
                by_head = then("Transpose", [rows], perm=[0, 2, 1, 3])
                weights = then("Unsqueeze", [weights, self.new_constant(np.array([0], np.int64))])
                then("Transpose", [then("MatMul", [by_head, weights])], output, perm=[0, 2, 1, 3])
            else:  # [B, S, H, 1, K] · [H, K, M]
                axis = self.new_constant(np.array([3], np.int64))
                single = then("Unsqueeze", [rows, axis])
                then("Squeeze", [then("MatMul", [single, weights]), axis], output)

    def poison_head_products(self):
        """One product takes the weights of its heads in another order."""
        places = list(self.head_products())
        if places:
            node = self.random.choice(places)[0]
            heads = next(tensor.dims[0] for tensor in self.graph.initializer if tensor.name == node.input[1])
            order = self.new_constant(np.roll(np.arange(heads), 1))
            node.input[1] = self.node("Gather", [node.input[1], order], at=list(self.graph.node).index(node), axis=0)
        return bool(places)

    def part_shared_key(self, poison=False):
        """Takes the key that all heads of latent attention share apart by heads, and joins it again; with another sign in one head."""
        places = self.shared_keys()
        if places:
            i, node, axis = self.random.choice(places)
            output, whole = node.output[0], self.fresh()
            heads, node.output[0] = self.shapes[output][axis], whole
            parts, i = self.part_heads(i + 1, whole, axis, heads,
                                       lambda part, at: (self.node("Neg", [part], at=at), at + 1) if poison else (part, at))
            self.node("Concat", parts, output, i, axis=axis)
        return bool(places)

    def poison_plain_key(self):
        """The keys that one head makes of the latent, with their columns moved on by one: its rows of W_UK in another order."""
        widths = {self.shapes[node.output[0]][3] for _, node, _ in self.shared_keys()}
        places = []
        for i, node in enumerate(self.graph.node):
            axis = self.head_axis(node.input[0]) if node.op_type == "Split" else None
            parts = {(self.shapes.get(name) or [0])[-1] for name in node.output}
            # Queries are split, too, into what is rotated and what is not.
            if widths and axis is not None and len(node.output) == 2 and 0 not in parts and not parts & widths:
                places.append((i, node, axis))
        if places:
            i, node, axis = self.random.choice(places)
            output, whole = node.output[0], self.fresh()
            heads, node.output[0] = self.shapes[node.input[0]][axis], whole

            def turn(part, at):
                numbers = [self.new_constant(np.array([n], np.int64)) for n in (0, 1, np.iinfo(np.int64).max, 3)]
                first, rest = (self.node("Slice", [part, numbers[k], numbers[k + 1], numbers[3]], at=at) for k in (0, 1))
                return self.node("Concat", [rest, first], at=at + 2, axis=3), at + 3

            parts, i = self.part_heads(i + 1, whole, axis, heads, turn)
            self.node("Concat", parts, output, i, axis=axis)
        return bool(places)

    @property
    def heads(self):
        """The number of heads of every rotated tensor, where it is that of the caches [batch, heads, past, width]; else 0."""
        if any(n.op_type == "Expand" and self.types.get(n.output[0], (0, 0))[1] == 5 for n in self.graph.node):
            return 0  # keys are repeated: queries have more heads
        shapes = [i.type.tensor_type.shape.dim for i in self.graph.input]
        counts = [d[1].dim_value or (int(d[1].dim_param) if d[1].dim_param.isdigit() else 0) for d in shapes if len(d) == 4]
        return counts[0] if counts else 0


POISONS = {
    "epsilon": Rewriter.poison_epsilon,
    "mask bound": Rewriter.poison_mask,
    "rotation sign": lambda r: r.poison_rotation(False),
    "sign of one head": lambda r: r.poison_rotation(True),
    "shared key of one head": lambda r: r.part_shared_key(poison=True),
    "W_UK of one head": Rewriter.poison_plain_key,
    "mixing weight": Rewriter.poison_weights,
    "choice of experts": Rewriter.poison_choice,
    "weights of heads": Rewriter.poison_head_products,
}


# Ops that a poison leaves one fewer of.
LOST = {"shared key of one head": "ds.mla "}


def test_file(compiler, folder, seed, rounds, name):
    """(passed, list of failures) of one golden file."""
    passed, failures = 0, []
    with tempfile.TemporaryDirectory() as work:
        for path in glob.glob(os.path.join(folder, "model.onnx*")):
            shutil.copy(path, work)
        original = os.path.join(work, "model.onnx")
        expected, error = compile_model(compiler, original)
        if error:
            return 0, [] if f"lm {name}" in not_yet() else [f"{name}: the original: {error}"]
        data = open(original, "rb").read()

        def attempt(change):
            model = onnx.ModelProto.FromString(data)
            rewriter = Rewriter(model, change)
            return model, rewriter

        path = os.path.join(work, "rewritten.onnx")
        for round_ in range(rounds):
            model, rewriter = attempt(f"{seed}/{name}/{round_}")
            rewriter.run()
            onnx.save(model, path)
            got, error = compile_model(compiler, path)
            if got and got.result == expected.result:
                passed += 1
            else:
                failures.append(f"{name} round {round_}: " + (error or f"another IR, first at: {got.first_difference(expected)}"))
        for kind, poison in POISONS.items():
            model, rewriter = attempt(f"{seed}/{name}/{kind}")
            if not poison(rewriter):
                continue
            onnx.save(model, path)
            got, error = compile_model(compiler, path)
            if error and "exit code" in error:
                failures.append(f"{name} {kind}: {error}")
            elif got and got.result == expected.result:
                failures.append(f"{name}: another {kind} was not noticed")
            elif got and kind in LOST and got.text.count(LOST[kind]) != expected.text.count(LOST[kind]) - 1:
                failures.append(f"{name} {kind}: {got.text.count(LOST[kind])} {LOST[kind]}are left of {expected.text.count(LOST[kind])}")
            else:
                passed += 1
    return passed, failures


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("compiler")
    parser.add_argument("golden")
    parser.add_argument("--all", action="store_true", help="every file, --rounds each, however long it takes")
    parser.add_argument("--only", default="")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=120)
    args = parser.parse_args()
    seed = args.seed if args.seed is not None else random.randrange(1 << 30)
    print(f"seed {seed}")
    files = [p for p in sorted(glob.glob(os.path.join(args.golden, "*", "onnx", "*", "model.onnx")))
             if os.path.basename(os.path.dirname(p)) not in GRAPH_ONLY and args.only in p]
    if not args.all:
        random.Random(seed).shuffle(files)
    passed, failed, done, start = 0, 0, 0, time.monotonic()
    for path in files:
        if not args.all and time.monotonic() - start > args.seconds:
            break
        folder = os.path.dirname(path)
        good, failures = test_file(args.compiler, folder, seed, args.rounds, os.path.relpath(folder, args.golden))
        passed, failed, done = passed + good, failed + len(failures), done + 1
        for failure in failures:
            print(f"FAILED (seed {seed}) {failure}", flush=True)
    print(f"{done} of {len(files)} files")
    print(f"{passed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
