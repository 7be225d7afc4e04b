"""conversation.py QUESTIONS ANSWERS: the messages up to the last question, as --messages takes them."""
import json
import sys

questions = [line for line in open(sys.argv[1]).read().split("\n") if line]
answers = open(sys.argv[2]).read().split("\n")
messages = []
for i, question in enumerate(questions):
    messages.append({"role": "user", "content": question})
    if i + 1 < len(questions):
        messages.append({"role": "assistant", "content": answers[i]})
print(json.dumps(messages))
