"""The document from which Google's libraries learn what a service can do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

VERSION = "v1alpha1"

_TEXT = {"type": "string"}
_FLAG = {"type": "boolean"}
_TEXTS = {"type": "array", "items": _TEXT}
_NUMBER = {"type": "number", "format": "float"}
_PLACE = {"type": "integer", "format": "int32"}
_SCORE_TYPE = {
    "type": "string",
    "enum": ["SCORE_TYPE_UNSPECIFIED", "PROBABILITY", "STD_DEV_SCORE", "PERCENTILE", "RAW"],
}
_TEXT_TYPE = {"type": "string", "enum": ["TEXT_TYPE_UNSPECIFIED", "PLAIN_TEXT", "HTML"]}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": name}


def _map_of(name: str) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": _ref(name)}


# By message, its fields.
_SCHEMAS: Mapping[str, Mapping[str, Any]] = {
    "AnalyzeCommentRequest": {
        "comment": _ref("TextEntry"),
        "context": _ref("Context"),
        "requestedAttributes": _map_of("AttributeParameters"),
        "languages": _TEXTS,
        "spanAnnotations": _FLAG,
        "dropUnsupportedAttributes": _FLAG,
        "doNotStore": _FLAG,
        "clientToken": _TEXT,
        "sessionId": _TEXT,
        "communityId": _TEXT,
        "community": {
            "type": "string",
            "description": "Gatehouse's own: which community an organisation's key means.",
        },
    },
    "AnalyzeCommentResponse": {
        "attributeScores": _map_of("AttributeScores"),
        "languages": _TEXTS,
        "detectedLanguages": _TEXTS,
        "clientToken": _TEXT,
    },
    "SuggestCommentScoreRequest": {
        "comment": _ref("TextEntry"),
        "context": _ref("Context"),
        "attributeScores": _map_of("AttributeScores"),
        "languages": _TEXTS,
        "clientToken": _TEXT,
        "sessionId": _TEXT,
        "communityId": _TEXT,
        "community": _TEXT,
    },
    "SuggestCommentScoreResponse": {
        "clientToken": _TEXT,
        "detectedLanguages": _TEXTS,
        "requestedLanguages": _TEXTS,
    },
    "TextEntry": {"text": _TEXT, "type": _TEXT_TYPE},
    "Context": {
        "entries": {"type": "array", "items": _ref("TextEntry")},
        "articleAndParentComment": _ref("ArticleAndParentComment"),
    },
    "ArticleAndParentComment": {
        "article": _ref("TextEntry"),
        "parentComment": _ref("TextEntry"),
    },
    "AttributeParameters": {"scoreType": _SCORE_TYPE, "scoreThreshold": _NUMBER},
    "AttributeScores": {
        "summaryScore": _ref("Score"),
        "spanScores": {"type": "array", "items": _ref("SpanScore")},
    },
    "SpanScore": {"begin": _PLACE, "end": _PLACE, "score": _ref("Score")},
    "Score": {"value": _NUMBER, "type": _SCORE_TYPE},
}
# What any method takes in its address; most of it changes nothing here.
_PARAMETERS = {
    "key": "Your API key.",
    "alt": "The form of the answer: always json.",
    "fields": "Taken, and without effect.",
    "prettyPrint": "Taken, and without effect.",
    "quotaUser": "Taken, and without effect.",
    "$.xgafv": "Taken, and without effect.",
}


def discovery_document(root_url: str) -> dict[str, Any]:
    """Return what a library must know to call us at `root_url`, which ends with a slash."""
    return {
        "kind": "discovery#restDescription",
        "discoveryVersion": "v1",
        "id": f"commentanalyzer:{VERSION}",
        "name": "commentanalyzer",
        "canonicalName": "Comment Analyzer",
        "version": VERSION,
        "title": "Perspective, as Gatehouse speaks it",
        "description": "Scores of comments, by the policy of the community whose key is sent.",
        "ownerName": "Gatehouse",
        "ownerDomain": "gatehouse",
        "protocol": "rest",
        "rootUrl": root_url,
        "baseUrl": root_url,
        "basePath": "",
        "servicePath": "",
        "batchPath": "batch",
        "parameters": {
            name: {"type": "string", "location": "query", "description": said}
            for name, said in _PARAMETERS.items()
        },
        "schemas": {
            name: {"id": name, "type": "object", "properties": fields}
            for name, fields in _SCHEMAS.items()
        },
        "resources": {
            "comments": {
                "methods": {
                    "analyze": _method(
                        "analyze", "AnalyzeComment", "Score a text in the attributes asked for."
                    ),
                    "suggestscore": _method(
                        "suggestscore", "SuggestCommentScore", "Say what a text should have scored."
                    ),
                }
            }
        },
    }


def _method(name: str, message: str, description: str) -> dict[str, Any]:
    path = f"{VERSION}/comments:{name}"
    return {
        "id": f"commentanalyzer.comments.{name}",
        "description": description,
        "httpMethod": "POST",
        "path": path,
        "flatPath": path,
        "parameters": {},
        "parameterOrder": [],
        "request": _ref(f"{message}Request"),
        "response": _ref(f"{message}Response"),
    }
