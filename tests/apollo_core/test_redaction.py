"""What a credential looks like, and what only looks like one."""

import pytest

from apollo_core.redaction import has_credentials, redact


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("http://me:s3cret@host:5000/x", "http://***@host:5000/x"),
        ("s3://AKID:a/b+c/d@bucket/prefix", "s3://***@bucket/prefix"),
        ("postgresql+psycopg://u:p@ss@db/mlflow", "postgresql+psycopg://***@db/mlflow"),
        ("https://t0ken@host/data", "https://***@host/data"),
        ("https://h/d?token=abc&x=1", "https://h/d?token=***&x=1"),
        ("https://h/d?x=1&X-Amz-Signature=9f", "https://h/d?x=1&X-Amz-Signature=***"),
        ("https://h/d?sv=1&sig=9f", "https://h/d?sv=1&sig=***"),
        ("Authorization: Bearer abcdefgh12345", "Authorization: Bearer ***"),
        ("got hf_abcdefghijklmnopqrst", "got ***"),
    ],
)
def test_credentials_are_taken_out_of_uris_headers_and_plain_text(said, told):
    assert redact(said) == told


@pytest.mark.parametrize(
    "said",
    ["http://127.0.0.1:5000/#/experiments", "org/name@main", "s3://bucket/a@b", "tokens=4 step 3"],
)
def test_what_is_no_credential_stays_as_it_is(said):
    assert redact(said) == said
    assert has_credentials("https://me:pw@host")
    assert not has_credentials("s3://bucket/folder")


def test_the_values_of_secret_environment_variables_are_taken_out_wherever_they_stand(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "not-of-any-known-form")
    monkeypatch.setenv("APOLLO_WEBHOOK", "https://hooks.example/T0/B0/xyz")
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false-and-long")
    assert redact("sent not-of-any-known-form away") == "sent *** away"
    assert redact("POST https://hooks.example/T0/B0/xyz: 500") == "POST ***: 500"
    assert redact("it is false-and-long") == "it is false-and-long"
