"""From a claimed submission to a verdict: outside any transaction until it is enforced.

lease     a worker's right to a submission for a while; claimed in batches, due ones first
screen    ask the policy's providers; keep every answer
evidence  answers as rows and rows as answers: what was said once counts again
jobs      services that answer later, and what has become of what they work on
inbox     what services call back with, used once
park      put a claim aside until a service has answered
judge     apply the policy: evidence in, verdict out
check     say what the policy would say of a draft, without keeping anything
"""
