"""interrupt.py chat|once COMMAND...: sends Ctrl-C in the middle of answers and says what became of it."""
import signal
import subprocess
import sys

kind, command = sys.argv[1], sys.argv[2:]
process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def interrupt_answer():
    """Waits for the first bytes of an answer, interrupts it, and reads the rest of its line."""
    process.stdout.read(1)
    process.send_signal(signal.SIGINT)


if kind == "chat":
    answers = 0
    for question in (b"Who made the sea?\n", b"And the land?\n"):
        process.stdin.write(question)
        process.stdin.flush()
        interrupt_answer()
        process.stdout.readline()
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
