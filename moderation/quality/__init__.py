"""How sure decisions are: asked again blind, counted, and shown to leads.

draw      which decisions are asked again
checks    a moderator answers one, without knowing the first answer
golden    items whose answer is known
subject   what a check shows
figures   what the answers come to
learning  thresholds that fit what people decided
"""
