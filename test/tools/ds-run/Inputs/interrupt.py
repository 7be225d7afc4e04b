"""interrupt.py chat|once COMMAND...: sends Ctrl-C in the middle of answers and says what became of it."""
import os
import select
import signal
import subprocess
import sys

kind, command = sys.argv[1], sys.argv[2:]
process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)


def interrupt_answer():
    """Waits for the first byte of an answer and interrupts it."""
    process.stdout.read(1)
    process.send_signal(signal.SIGINT)


def read_until_silent():
    """An answer may have any number of lines: it has ended when nothing comes any more."""
    while select.select([process.stdout], [], [], 1)[0]:
        os.read(process.stdout.fileno(), 65536)


if kind == "chat":
    answers = 0
    for question in (b"Who made the sea?\n", b"And the land?\n"):
        process.stdin.write(question)
        process.stdin.flush()
        interrupt_answer()
        read_until_silent()
        answers += 1
    process.stdin.close()
    process.wait(timeout=60)
    print("answers:", answers)
else:
    interrupt_answer()
    process.stdout.read()
    process.wait(timeout=60)
print("exit code:", process.returncode)
print("stats:", "yes" if b'"generated_tokens"' in process.stderr.read() else "no")
