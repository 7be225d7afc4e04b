"""compare_drafts.py PLAIN DRAFTED K: the logits of ds-run without and with --draft=K are the same bits, and those of the drafts belong to the
text: K of them, one place behind the other, come before each check, and each check is further on."""
import array
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from tensors import read  # noqa: E402

plain, drafted, k = read(sys.argv[1]), read(sys.argv[2]), int(sys.argv[3])
assert set(plain) == {"logits"} and set(drafted) == {"logits", "draft_logits", "draft_position"}
assert plain["logits"] == drafted["logits"]
places, (_, (rows, _), values) = array.array("i", drafted["draft_position"][2]), drafted["draft_logits"]
assert len(places) == rows > 0 and rows % k == 0
assert all(abs(x) < 1e4 for x in array.array("f", values))
firsts = places[::k]
assert all(places[i + j] == places[i] + j for i in range(0, rows, k) for j in range(k))
assert all(a < b for a, b in zip(firsts, firsts[1:]))
