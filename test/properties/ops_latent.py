"""Properties of latent attention and of the input of a token prediction layer (DsLatentOps.td)."""
import numpy as np

from case import EPSILON, TINY, normal, tensor
from ops_model import ROWS, Sequences, attention_bound, magnitudes, narrowed_attention, own, rounded_inputs, weight


class Caches:
    """Latents and rope keys of sequences, and the query's first part as wide as `width`."""

    def __init__(self, case):
        self.s = s = Sequences(case)
        self.element, self.stored = case.pick([("f32", "f32"), ("f32", "f32"), ("f32", "bf16"), ("bf16", "bf16"), ("f64", "f64")])
        self.rank, self.rotated, self.heads = case.pick([1, 3, 8, 17, 32]), case.pick([2, 6, 8, 16]), case.pick([1, 2, 3, 5])
        self.scale = case.pick([0.3, 0.1352337789, 1.0])

        def filled(run, shape):
            return s.cache(run, shape, lambda past, rows: past + rows)
        dims = [[s.planned("slots"), 1, s.planned("length"), width] for width in (self.rank, self.rotated)]
        self.kinds = [tensor(self.stored, d) for d in dims]
        self.latent, self.rope = (case.input(self.stored, d, filled) for d in dims)

    def query(self, case, width):
        self.q_dims = [self.s.planned("tokens"), self.heads, width + self.rotated]
        self.q = case.input(self.element, self.q_dims, normal())
        return tensor(self.element, self.q_dims)

    def emit(self, case, op, q_kind, text, kinds, width, tolerance):
        s = self.s
        kinds = ", ".join([q_kind, *self.kinds, *kinds] + 3 * [s.vector])
        dims = self.q_dims[:2] + [width]
        out = case.emit(f"ds.{op} {self.q}, {self.latent}, {self.rope}{text} at {s.start}, {s.past}, {s.slot} scale {self.scale:e} : "
                        f"{kinds} to {tensor(self.element, dims)}")
        case.output(out, self.element, dims,
                    lambda run, want: tolerance(run) + EPSILON[self.element] * np.abs(want) + TINY[self.element])

    def magnitudes(self, run, split):
        """Of the query's two parts, latents and rope keys."""
        q, c, r = (np.nan_to_num(m) for m in magnitudes(run, self.q, self.latent, self.rope))
        return q[..., :split], q[..., split:], c[:, 0], r[:, 0]


def mla_absorbed(case):
    caches = Caches(case)
    c = caches.rank
    q_kind = caches.query(case, c)

    def tolerance(run):
        q, q_rope, latents, ropes = caches.magnitudes(run, c)
        qk = (np.einsum("nhc,btc->nhbt", q, latents) + np.einsum("nhr,btr->nhbt", q_rope, ropes)).max(initial=0)
        bound = attention_bound(caches.element, qk, latents.max(initial=0), c + caches.rotated, caches.s.plan(run)["length"], caches.scale)
        return bound + narrowed_attention(run, caches.element, caches.stored, qk, latents.max(initial=0), caches.scale)
    caches.emit(case, "mla_absorbed", q_kind, "", [], c, tolerance)


def mla(case):
    caches = Caches(case)
    c, h = caches.rank, caches.heads
    plain, width = case.pick([1, 4, 8, 17]), case.pick([1, 3, 8, 16])
    q_kind = caches.query(case, plain)
    stored = caches.stored if caches.stored != "bf16" else case.pick(["f32", "bf16"])
    of_keys, of_values = (weight(case, stored, [h, n, c], normal(c ** -0.5)) for n in (plain, width))

    def tolerance(run):
        q, q_rope, latents, ropes = caches.magnitudes(run, plain)
        k, v = (np.einsum("hpc,btc->bthp", w, latents) for w in magnitudes(run, of_keys, of_values))
        qk = (np.einsum("nhp,bthp->nhbt", q, k) + np.einsum("nhr,btr->nhbt", q_rope, ropes)).max(initial=0)
        # An element of a key or a value is off by (C + 2) · ε of what it was added up from.
        bound = attention_bound(caches.element, qk, v.max(initial=0), plain + caches.rotated + c + 2, caches.s.plan(run)["length"], caches.scale)
        bound += narrowed_attention(run, caches.element, caches.stored, qk, v.max(initial=0), caches.scale)
        return bound + (c + 2) * own(caches.element) * v.max(initial=0)
    kinds = [tensor(stored, [h, n, c]) for n in (plain, width)]
    caches.emit(case, "mla", q_kind, f" expand {of_keys}, {of_values}", kinds, width, tolerance)


def mtp_input(case):
    element, stored = case.pick([("f32", "f32"), ("f32", "bf16"), ("bf16", "bf16"), ("f64", "f64")])
    rows = case.dims(case.pick([1, 1, 2]), ROWS)
    d, n = case.pick([1, 3, 8, 17, 32]), case.pick([1, 8, 17, 32])
    kind, of_norm = tensor(element, rows + [d]), "f64" if element == "f64" else "f32"
    e, hidden = (case.input(element, rows + [d], normal()) for _ in range(2))
    case.by_row = [e, hidden]
    enorm, hnorm = (weight(case, of_norm, [d], normal()) for _ in range(2))
    w = weight(case, stored, [n, 2 * d], normal())
    out = case.emit(f"ds.mtp_input {e}, {hidden} norms {enorm}, {hnorm} weight {w} epsilon 1.000000e-06 : {kind}, {kind}, "
                    f"{tensor(of_norm, [d])}, {tensor(of_norm, [d])}, {tensor(stored, [n, 2 * d])} to {tensor(element, rows + [n])}")

    def tolerance(run, want):
        def normal_(x, norm):
            value = run.values[x].astype(np.float64)
            return np.abs(value / np.sqrt((value * value).mean(-1, keepdims=True) + 1e-6) * run.values[norm])
        both = np.concatenate([normal_(e, enorm), normal_(hidden, hnorm)], -1)
        relative = (2.5 * d + 16) * own(element) + rounded_inputs(run, of_norm, stored)
        return relative * (both @ magnitudes(run, w)[0].T) + EPSILON[element] * np.abs(want) + TINY[element]
    case.output(out, element, rows + [n], tolerance)


OPS = {"mla": mla, "mla_absorbed": mla_absorbed, "mtp_input": mtp_input}
