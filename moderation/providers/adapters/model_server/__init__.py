"""Models that someone runs, asked over gRPC.

gatehouse_model.proto   the protocol, for whoever writes a server
gatehouse_model.binpb   the same as protoc reads it; see docs/providers/model_server.md
messages.py             the protocol's messages, made of it
adapter.py              asks a server
server.py               a small server, for our own local models
"""

from moderation.providers.adapters.model_server.adapter import ModelServerAdapter

__all__ = ["ModelServerAdapter"]
