"""The shapes of what goes in and out, for the OpenAPI document: one file a resource.

Input and output stand apart; at the foot of each file is what `extend_schema` is told of each act.
The views read and write plain values (see `bodies` and `answers`); the tests hold every answer
against these shapes.
"""

# An extension is known once it is imported.
from moderation.api.serializers import schemes as schemes
