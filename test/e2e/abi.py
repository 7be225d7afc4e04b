"""A compiled model through ctypes: the structs of runtime/include/ds/model_abi.h, for tests of the compiler alone."""
import ctypes as C
import os

import ml_dtypes
import numpy as np

MAX_RANK = 8
TYPES = {1: np.float32, 2: np.float64, 3: np.float16, 4: ml_dtypes.bfloat16, 5: np.int8, 6: np.int16, 7: np.int32,
         8: np.int64, 9: np.uint8, 10: np.uint16, 11: np.uint32, 12: np.uint64, 13: np.bool_,
         14: ml_dtypes.float8_e4m3fn, 15: ml_dtypes.float8_e5m2, 16: np.int8, 17: np.uint8}
P, U32, I64, U64, I32, S = C.c_void_p, C.c_uint32, C.c_int64, C.c_uint64, C.c_int32, C.c_char_p


def struct(name, fields):
    return type(name, (C.Structure,), {"_fields_": fields})


Tensor = struct("Tensor", [("data", P), ("type", U32), ("rank", U32), ("dims", I64 * MAX_RANK)])
ValueInfo = struct("ValueInfo", [("name", S), ("type", U32), ("rank", U32), ("dims", I64 * MAX_RANK), ("dim_names", S * MAX_RANK)])
Parameter = struct("Parameter", [("name", S), ("type", U32), ("rank", U32), ("dims", I64 * MAX_RANK), ("offset", U64),
                                 ("bytes", U64), ("checksum", U64), ("draft_only", U32)])
Router = struct("Router", [("layer", U32), ("expert_count", I64), ("experts_per_token", I64), ("bias", I64)])
Route = struct("Route", [("weights", P), ("experts", P), ("loads", P)])
RouteBiasCall = struct("RouteBiasCall", [("expert_count", I64), ("bias", P), ("loads", P), ("next", P), ("rate", C.c_float)])
Cache = struct("Cache", [("name", S), ("type", U32), ("layer", U32), ("heads", I64), ("width", I64)])
GraphCall = struct("GraphCall", [("parameters", P), ("inputs", P), ("outputs", P), ("threads", I32)])
StepCall = struct("StepCall", [("parameters", P), ("caches", P), ("cache_slots", I64), ("cache_length", I64),
                               ("token_count", I64), ("sequence_count", I64), ("logit_row_count", I64), ("tokens", P),
                               ("row_start", P), ("past_length", P), ("cache_slot", P), ("logit_rows", P), ("absorbed_count", I64), ("states", P), ("logits", P),
                               ("hidden", P), ("routes", P), ("workspace", P), ("workspace_bytes", U64), ("threads", I32)])
Draft = struct("Draft", [("draft", P), ("workspace_bytes", P)])
Variant = struct("Variant", [("name", S), ("features", S), ("graph", P), ("step", P), ("workspace_bytes", P), ("drafts", C.POINTER(Draft)),
                             ("update_route_bias", P)])
Descriptor = struct("Descriptor", [
    ("magic", U64), ("abi_version", U32), ("mode", U32), ("name", S), ("compiler", S), ("options", S),
    ("variant_count", U32), ("input_count", U32), ("output_count", U32), ("parameter_count", U32), ("cache_count", U32),
    ("eos_count", U32), ("draft_count", U32), ("draft_cache_count", U32), ("router_count", U32), ("draft_router_count", U32), ("variants", C.POINTER(Variant)),
    ("inputs", C.POINTER(ValueInfo)), ("outputs", C.POINTER(ValueInfo)), ("parameters", C.POINTER(Parameter)),
    ("caches", C.POINTER(Cache)), ("draft_caches", C.POINTER(Cache)), ("routers", C.POINTER(Router)), ("draft_routers", C.POINTER(Router)),
    ("weights_file", S), ("embedded_weights", P), ("weights_bytes", U64), ("vocabulary", I64), ("hidden_size", I64),
    ("layer_count", I64), ("max_length", I64), ("mla_absorb_below", I64), ("eos_ids", C.POINTER(I32)), ("bos_id", I32), ("slow_op_count", U32),
    ("tokenizer_json", S), ("tokenizer_json_bytes", U64), ("tokenizer_config_json", S), ("tokenizer_config_json_bytes", U64),
    ("multiply_adds_per_token", U64), ("multiply_adds_per_logits", U64), ("weight_bytes_per_token", U64)])


def code_of(dtype):
    return next(code for code, t in TYPES.items() if np.dtype(t) == np.dtype(dtype))


class Model:
    def __init__(self, path, threads=0):
        self.threads = threads
        self.library = C.CDLL(os.path.abspath(path))
        self.library.ds_model.restype = C.POINTER(Descriptor)
        self.model = self.library.ds_model().contents
        with open("/proc/cpuinfo") as info:
            flags = next(line for line in info if line.startswith("flags")).split()
        self.variant = next(v for v in self.model.variants[: self.model.variant_count]
                            if all(f in flags for f in v.features.decode().split(",")))
        self.pointers = (P * max(1, self.model.parameter_count))()
        if self.model.weights_file:
            self.weights = np.memmap(os.path.join(os.path.dirname(os.path.abspath(path)), self.model.weights_file.decode()),
                                     np.uint8, "r")
            assert len(self.weights) == self.model.weights_bytes
        base = self.weights.ctypes.data if self.model.weights_file else self.model.embedded_weights
        for i in range(self.model.parameter_count):
            self.pointers[i] = base + self.model.parameters[i].offset

    def graph(self, inputs):
        """Outputs by name; `inputs` maps names to arrays."""
        n, m = self.model.input_count, self.model.output_count
        keep, ins, outs = [], (Tensor * max(1, n))(), (Tensor * max(1, m))()
        for i in range(n):
            info = self.model.inputs[i]
            array = np.asarray(inputs[info.name.decode()], order="C")
            keep.append(array)
            ins[i].data, ins[i].type, ins[i].rank = array.ctypes.data, info.type, array.ndim
            assert np.dtype(TYPES[info.type]) == array.dtype, (info.name, array.dtype)
            for d, size in enumerate(array.shape):
                ins[i].dims[d] = size
        call = GraphCall(C.cast(self.pointers, P), C.cast(ins, P), C.cast(outs, P), self.threads)
        status = C.CFUNCTYPE(I32, P)(self.variant.graph)(C.addressof(call))
        if status:
            raise RuntimeError(f"status {status}")
        libc = C.CDLL(None)
        libc.free.argtypes = [P]
        result = {}
        for i in range(m):
            shape = tuple(outs[i].dims[: outs[i].rank])
            dtype = np.dtype(TYPES[outs[i].type])
            count = int(np.prod(shape, dtype=np.int64))
            raw = C.string_at(outs[i].data, count * dtype.itemsize) if count else b""
            result[self.model.outputs[i].name.decode()] = np.frombuffer(raw, dtype).reshape(shape).copy()
            libc.free(outs[i].data)
        return result


    def moved_bias(self, router, loads, rate):
        """The selection bias of a Router after an update by these loads."""
        bias = C.cast(self.pointers[router.bias], C.POINTER(C.c_float))
        loads, after = np.ascontiguousarray(loads, np.int32), np.empty(router.expert_count, np.float32)
        call = RouteBiasCall(router.expert_count, C.cast(bias, P), loads.ctypes.data, after.ctypes.data, rate)
        status = C.CFUNCTYPE(I32, P)(self.variant.update_route_bias)(C.addressof(call))
        if status:
            raise RuntimeError(f"status {status}")
        return after


class Session:
    """Caches of a language model, or of its draft layer `draft`; step() is one call of the entry."""

    def __init__(self, model, slots, length, draft=None):
        self.model, self.length, self.slots = model, length, slots
        d = model.model
        described, routers = d.caches[: d.cache_count], d.routers[: d.router_count]
        entry = model.variant
        self.entry, self.workspace_bytes = entry.step, entry.workspace_bytes
        if draft is not None:
            described = [c for c in d.draft_caches[: d.draft_cache_count] if c.layer == d.layer_count + draft]
            routers = [r for r in d.draft_routers[: d.draft_router_count] if r.layer == d.layer_count + draft]
            self.entry, self.workspace_bytes = entry.drafts[draft].draft, entry.drafts[draft].workspace_bytes
        self.caches = [np.full((slots, c.heads, length, c.width), np.nan, TYPES[c.type]) for c in described]
        self.pointers = (P * len(described))(*[c.ctypes.data for c in self.caches])
        # Of the last step, by layer.
        self.routers = routers
        self.loads = {r.layer: np.full(r.expert_count, -1, np.int32) for r in routers}
        self.weights, self.experts = {}, {}

    def step(self, sequences, past, slots, all_logits=True, want_hidden=True, states=None, absorbed=None):
        """`sequences`: one list of new tokens each. Logits of all rows, or of each sequence's last; hidden of all rows or None.
        `states`: of a draft layer, a row for each token. `absorbed`: how many sequences, the first, take the absorbed form of
        latent attention; None: those before the first that has mla_absorb_below tokens or more."""
        d = self.model.model
        ids = np.concatenate([np.asarray(s, np.int32) for s in sequences])
        starts = np.cumsum([0] + [len(s) for s in sequences]).astype(np.int32)
        rows = np.arange(len(ids), dtype=np.int32) if all_logits else (starts[1:] - 1).astype(np.int32)
        past, slots = np.asarray(past, np.int32), np.asarray(slots, np.int32)
        if absorbed is None:
            absorbed = next((i for i, s in enumerate(sequences) if len(s) >= d.mla_absorb_below), len(sequences))
        logits = np.zeros((len(rows), d.vocabulary), np.float32)
        hidden = np.zeros((len(ids), d.hidden_size), np.float32) if want_hidden else None
        sizes = len(ids), len(sequences), len(rows), self.length, self.model.threads
        need = C.CFUNCTYPE(U64, I64, I64, I64, I64, I32)(self.workspace_bytes)(*sizes)
        # Exactly as much as asked for, on a line of 64 bytes; NaN everywhere, so that nothing is read before it is written.
        room = np.full(need + 64, 0xff, np.uint8)
        workspace = -(-room.ctypes.data // 64) * 64
        if states is not None:
            states = np.ascontiguousarray(states, np.float32)
            assert states.shape == (len(ids), d.hidden_size), states.shape
        routes = (Route * max(1, len(self.routers)))()
        for route, r in zip(routes, self.routers):
            self.weights[r.layer] = np.full((len(ids), r.experts_per_token), np.nan, np.float32)
            self.experts[r.layer] = np.full((len(ids), r.experts_per_token), -1, np.int32)
            route.weights, route.experts = self.weights[r.layer].ctypes.data, self.experts[r.layer].ctypes.data
            route.loads = self.loads[r.layer].ctypes.data
        call = StepCall(C.cast(self.model.pointers, P), C.cast(self.pointers, P), self.slots, self.length, len(ids),
                        len(sequences), len(rows), ids.ctypes.data, starts.ctypes.data, past.ctypes.data,
                        slots.ctypes.data, rows.ctypes.data, absorbed, None if states is None else states.ctypes.data, logits.ctypes.data,
                        hidden.ctypes.data if want_hidden else None, C.cast(routes, P),
                        workspace, need, self.model.threads)
        status = C.CFUNCTYPE(I32, P)(self.entry)(C.addressof(call))
        if status:
            raise RuntimeError(f"status {status}")
        return logits, hidden
