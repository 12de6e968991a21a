"""Posts that come in by a stream instead of a request: a topic of Kafka, or a Redis Stream.

- `messages`: what one message says, or what is wrong with it
- `intake`: a batch of them goes to the pipeline; what is refused goes to the topic's `.refused`
- `reader`: what reads a topic; `kafka` and `redis_streams` are the two that do
- `status`: what `/metrics` and the back office are told of the readers

What happened to posts goes out by `moderation.delivery.streams`.
"""
