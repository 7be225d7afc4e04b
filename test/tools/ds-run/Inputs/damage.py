"""damage.py FILE OFFSET OUT: a copy with one byte changed; a negative offset counts from the end."""
import sys

data = bytearray(open(sys.argv[1], "rb").read())
data[int(sys.argv[2])] ^= 0x55
open(sys.argv[3], "wb").write(data)
