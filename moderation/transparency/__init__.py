"""What a platform owes the public of the European Union: the register of statements of reasons,
and the yearly report.

- `schema`: what the Commission's Transparency Database takes, checked before anything is sent
- `records`: a statement of reasons as such a record, without personal data
- `register`: the database's API
- `export`: statements on their way there, each once
- `report`: the yearly figures as CSV
"""
