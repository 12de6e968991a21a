"""The OpenAPI document beyond what the views say of themselves.

complete   what every act shares: request ids, conditional reads, examples, problems' examples
examples   an example of every shape, made from its schema
told       the section `webhooks`: what we send, from the list of event types
postman    the document as a Postman collection
"""
