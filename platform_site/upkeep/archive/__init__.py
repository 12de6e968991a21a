"""A whole instance as a folder: backed up and restored, or exported and imported.

moment     reads the database as it is at one moment, while others go on writing
files      carries attachments between the media store and a folder, with their digests
manifest   what a folder says of itself
databases  the database as its own tools keep it
backup     database and attachments into a folder
target     whether an instance is empty, and made for what is to come into it
restore    and back, with everything compared afterwards
portable   rows as lines of JSON, which both databases read
transfer   export and import of a whole instance through them
"""
