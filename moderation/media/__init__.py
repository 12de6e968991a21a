"""Attachments: from bytes that anyone may have sent to a file that we made ourselves.

signature  what may be opened at all
limits     what we accept and what we make of it
decode     `prepare_media`: the one way in, safe to call from any thread
children   the processes that decode, so that a hostile file harms only one of them
worker     what runs inside such a process
picture      one still or animated picture: header first, then pixels, then our own encoding
gif          frames counted before any is decoded
stream       one video or sound: its streams copied into a clean file
packing      what such a file holds, and how streams get into it
payload      what people can be known by, taken out of the streams themselves
film         what a video of our packing shows
moments      which of its frames are looked at
stills       frames made small, compared and hashed
pdq        the perceptual hash, and looking one up among a million

Everything that `worker` imports stays free of Django, so that a child starts in 0.1 s.
"""
