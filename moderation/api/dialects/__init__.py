"""Other services' ways of asking, answered by the policy of the community whose key is sent.

base         what they share: the switch, keys, limits, who judged, and what nobody judged
urls         which address belongs to which of them
openai       POST /v1/moderations
perspective  POST /v1alpha1/comments:analyze and comments:suggestscore
discuse      POST /discuse/api/v1/check
moderate     POST /moderate and /moderate/batch
akismet      POST /1.1/verify-key, comment-check, submit-spam and submit-ham
coral        POST /coral/<community>, signed

Each is one file: it reads the other service's question, makes one call inwards, and answers in the
other service's words, errors included.
"""
