"""damaged_model.py [--tokenizer] MODEL OUT: a copy of another ABI version; or one whose tokenizer.json is cut in its middle."""
import sys

data = bytearray(open(sys.argv[-2], "rb").read())
if "--tokenizer" in sys.argv:
    at = data.index(b'"model"', data.index(b'"added_tokens"'))
    data[at] = ord("!")
else:
    at = data.index((0x004C444D2D5344).to_bytes(8, "little"))
    data[at + 8:at + 12] = (999).to_bytes(4, "little")
open(sys.argv[-1], "wb").write(data)
