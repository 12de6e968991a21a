"""Lists of hashes: what goes in comes out, what is wrong is told by its line and stores nothing."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from moderation.errors import InvalidSubmission
from moderation.models import AuditEvent, BankedHash, HashBank
from moderation.operations import bank_lists
from moderation.operations.bank_lists import import_list, read_list, write_csv, write_json
from moderation.vocabulary import BankKind, Category
from tests.factories import CommunityFactory, HashBankFactory

ONE, TWO = "ab" * 32, "cd" * 32
ADVERT = "Lose twenty pounds in a week with the tea that doctors do not want you to know about."


@pytest.fixture
def pictures(db: None) -> HashBank:
    bank: HashBank = HashBankFactory.create(name="Pictures", category=Category.SPAM)
    return bank


@pytest.fixture
def texts(db: None) -> HashBank:
    bank: HashBank = HashBankFactory.create(name="Texts", kind=BankKind.TEXT, max_distance=6)
    return bank


def sheet(*rows: str, header: str = "type,value,category,tags,description") -> bytes:
    return "\n".join([header, *rows]).encode()


def stored() -> set[tuple[str, str, str]]:
    return set(BankedHash.objects.values_list("perceptual_hash", "category", "label"))


def test_a_csv_fills_a_bank_and_says_what_was_new(pictures: HashBank) -> None:
    data = sheet(
        f"HASH_PDQ,{ONE.upper()},graphic,,case 1", f"pdq,{TWO},,foo,", f"HASH_PDQ,{ONE},,,"
    )
    reading, added = import_list(bank=pictures, data=data, user=None)
    assert added is not None
    assert (added.stored, added.known, reading.repeated) == (2, 0, 1)
    assert stored() == {(ONE, "graphic", "case 1"), (TWO, "spam", "")}
    _, again = import_list(bank=pictures, data=data, user=None)
    assert again is not None
    assert (again.stored, again.known) == (0, 2)
    (event, _) = AuditEvent.objects.filter(kind="bank.imported").order_by("pk")
    assert event.facts == {"stored": 2, "known": 0}


@pytest.mark.parametrize(
    "document",
    [
        {"data": [{"indicator": {"indicator": ONE}, "type": "HASH_PDQ", "tags": ["graphic"]}]},
        {"data": [{"indicator": ONE, "type": "HASH_PDQ", "tags": {"data": [{"text": "graphic"}]}}]},
        [{"value": ONE, "tags": "media_type_photo, graphic"}],
    ],
)
def test_json_in_the_shapes_of_threatexchange_is_read(pictures: HashBank, document: object) -> None:
    import_list(bank=pictures, data=json.dumps(document).encode(), user=None)
    assert stored() == {(ONE, "graphic", "")}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (f"HASH_MD5,{ONE},,,", "is not known"),
        ("HASH_PDQ,xyz,,,", "64 hexadecimal digits"),
        ("HASH_PDQ,,,,x", "no value"),
        (f"HASH_PDQ,{ONE},nonsense,,", "category"),
        (f"HASH_TEXT_SHA256,{ONE},,,", "does not go into a bank of pictures"),
        (f"HASH_PDQ,{ONE},,,,more", "more cells"),
    ],
)
def test_one_wrong_line_is_named_and_nothing_is_stored(
    pictures: HashBank, row: str, said: str
) -> None:
    reading, added = import_list(bank=pictures, data=sheet(f"HASH_PDQ,{TWO},,,", row), user=None)
    assert added is None
    assert [(fault.line, said in fault.said) for fault in reading.faults] == [(3, True)]
    assert not BankedHash.objects.exists()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "first line"),
        (b"foo,bar\n1,2", "first line"),
        (sheet(), "nothing in this list"),
        (b"\xff\xfe\x00", "UTF-8"),
        (b'{"data": ', "not JSON"),
        (b'{"data": 3}', "list of indicators"),
        (b"[" * 100_000, "not JSON"),
        (b'value\n"' + ONE.encode(), "not CSV"),
    ],
)
def test_what_is_no_list_says_so(pictures: HashBank, data: bytes, said: str) -> None:
    with pytest.raises(InvalidSubmission, match=said):
        read_list(data, kind=BankKind.IMAGE)


def test_faults_are_counted_beyond_those_that_are_told(pictures: HashBank) -> None:
    reading = read_list(sheet(*["HASH_PDQ,xyz,,,"] * 60), kind=BankKind.IMAGE)
    assert (len(reading.faults), reading.more_faults) == (50, 10)


def test_a_list_that_is_too_long_is_refused(
    pictures: HashBank, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bank_lists, "MOST_ENTRIES", 1)
    with pytest.raises(InvalidSubmission, match="cut it up"):
        read_list(sheet(f"PDQ,{ONE},,,", f"PDQ,{TWO},,,"), kind=BankKind.IMAGE)
    monkeypatch.setattr(bank_lists, "MOST_BYTES", 10)
    with pytest.raises(InvalidSubmission, match="cut it up"):
        read_list(sheet(f"PDQ,{ONE},,,"), kind=BankKind.IMAGE)


@pytest.mark.parametrize("write", [write_csv, write_json])
def test_what_was_exported_fills_another_bank_alike(texts: HashBank, write) -> None:  # type: ignore[no-untyped-def]
    raw = json.dumps([{"type": "TEXT", "value": ADVERT, "description": "=1+1", "tags": ["spam"]}])
    import_list(bank=texts, data=raw.encode(), user=None)
    other = HashBankFactory.create(kind=BankKind.TEXT, max_distance=6)
    import_list(bank=other, data="".join(write(texts)).encode(), user=None)
    fields = ("fingerprint", "simhash", "category", "label")
    one, two = (
        BankedHash.objects.filter(bank=bank).values(*fields).get() for bank in (texts, other)
    )
    assert one == two
    assert one["simhash"]
    assert one["label"] == "=1+1"


@pytest.mark.parametrize("said", ["=cmd|'/c calc'!A1", "+1", "-1+1", "@x", "＝1"])
def test_no_cell_is_a_formula(pictures: HashBank, said: str) -> None:
    import_list(
        bank=pictures,
        data=json.dumps([{"value": ONE, "description": said}]).encode(),
        user=None,
    )
    (_, row) = csv.reader(io.StringIO("".join(write_csv(pictures))))
    assert row[-1] == f"'{said}"


def test_the_command_reads_looks_and_writes(
    db: None,
    tmp_path: Path,
    capsys,  # type: ignore[no-untyped-def]
) -> None:
    community = CommunityFactory.create(slug="garden")
    HashBankFactory.create(name="Ours", community=community)
    file, out = tmp_path / "list.csv", tmp_path / "out.csv"
    file.write_bytes(sheet(f"PDQ,{ONE},,,case 1"))
    asked = ["hash_bank", "import", "Ours", str(file), "--community", "garden"]
    call_command(*asked, "--dry-run")
    assert not BankedHash.objects.exists()
    call_command(*asked)
    assert "1 stored" in capsys.readouterr().out
    call_command("hash_bank", "export", "Ours", str(out), "--community", "garden")
    assert ONE in out.read_text()
    file.write_bytes(sheet("PDQ,xyz,,,"))
    with pytest.raises(CommandError, match="nothing was stored"):
        call_command(*asked)
    with pytest.raises(CommandError, match="no such bank"):
        call_command("hash_bank", "export", "Ours", str(out))
