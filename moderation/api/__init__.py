"""The third door: HTTP for programs. Each view translates, makes one call inwards, translates back.

authentication   who calls: an API key, or a user of this site
callers          what a caller may read and write, and in whose name
waiting          answers that are held back until a verdict
limits           how much a caller may ask for
parsers, bodies  what was sent, as values of ours (drafts to check: check_bodies)
views/           one act each
pages            lists page by page
answers          posts as clients see them
errors           every error as an HTTP answer
openapi/         the OpenAPI document beyond what the views say, and what is made of it
serializers/     the shapes of all this, for the OpenAPI document: one file a resource
"""
