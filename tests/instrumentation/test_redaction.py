"""Redaction: what is removed, what must stay, and that no text can hurt it."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seasoned.instrumentation.errors import ConfigError
from seasoned.instrumentation.redaction import CYCLE, TOO_DEEP, Redactor

REDACTOR = Redactor()
A = "aB3dE5fG7hJ9kL1mN2pQ4rS6tU8vW0xY"  # 32 letters and digits
HEX = "0123456789abcdef0123456789abcdef"
JWT = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJVadQssw5c"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA0Z3VS5JJcds3xfn\nygJ7bKz=\n-----END RSA PRIVATE KEY-----"

TOKENS = [
    ("openai_key", f"sk-{A}{A[:16]}"),
    ("openai_key", f"sk-proj-{A[:12]}_{A}-{A}T3BlbkFJ{A}"),
    ("openai_key", f"sk-or-v1-{HEX}{HEX}"),
    ("openai_key", f"sk-svcacct-{A}"),
    ("anthropic_key", f"sk-ant-api03-{A}-{A}_{A}AA"),
    ("aws_access_key", "AKIAIOSFODNN7EXAMPLE"),
    ("aws_access_key", "ASIAIOSFODNN7EXAMPLE"),
    *(("github_token", f"gh{kind}_{A}abcd") for kind in "pousr"),
    ("github_token", f"github_pat_11ABCDEFG0{A[:12]}_{A}{A[:27]}"),
    ("gitlab_token", "glpat-Ab3_dE5fG-7hJ9kL1mN2"),
    ("google_key", f"AIzaSy{A}a"),
    ("google_secret", f"GOCSPX-{A[:28]}"),
    ("slack_token", f"xoxb-123456789012-1234567890123-{A[:24]}"),
    ("slack_token", f"xapp-1-A0123456789-1234567890123-{HEX}{HEX}"),
    ("stripe_key", f"sk_live_{A[:24]}"),
    ("stripe_key", f"rk_test_{A[:24]}"),
    ("huggingface_token", f"hf_{A}ab"),
    ("sendgrid_key", f"SG.{A[:22]}.{A}{A[:11]}"),
    ("npm_token", f"npm_{A}abcd"),
    ("pypi_token", f"pypi-AgEIcHlwaS5vcmc{A}{A}"),
    ("groq_key", f"gsk_{A}{A[:20]}"),
    ("xai_key", f"xai-{A}{A}"),
    ("jwt", JWT),
    ("private_key", PEM),
    ("private_key", PEM.replace("RSA ", "")),
    ("private_key", PEM.replace("RSA ", "OPENSSH ")),
]


@pytest.mark.parametrize(("name", "secret"), TOKENS)
@pytest.mark.parametrize(
    "frame", ["{}", "it is {}.", '"{}"', "x={}&y=1", "({})", "a\n{}\nb", "<{}>", "Bearer {} x", "https://x.org/?k={}"]
)
def test_a_secret_with_a_form_of_its_own_is_replaced_and_nothing_else(name: str, secret: str, frame: str):
    before, after = frame.split("{}")
    assert REDACTOR.text(frame.format(secret)) == f"{before}[REDACTED:{name}]{after}"


@pytest.mark.parametrize(("name", "secret"), TOKENS)
@pytest.mark.parametrize("times", [1, 2, 3])
def test_it_is_found_behind_the_escapes_of_json(name: str, secret: str, times: int):
    text = f"the key:\n{secret}\nand\tno more"
    for _ in range(times):
        text = json.dumps({"content": text})
    done = REDACTOR.text(text)
    for _ in range(times):
        done = json.loads(done)["content"]
    assert done == f"the key:\n[REDACTED:{name}]\nand\tno more"


FIELDS = [
    ("password=hunter2", "password=[REDACTED:password]"),
    ("password = 'hunter2'  # mine", "password = '[REDACTED:password]'  # mine"),
    ("DB_PASSWORD=hunter2\nUSER=bob", "DB_PASSWORD=[REDACTED:password]\nUSER=bob"),
    ("passwd: hunter2", "passwd: [REDACTED:password]"),
    ("my passphrase: correct-horse", "my passphrase: [REDACTED:password]"),
    ("Server=db;Uid=me;Pwd=hunter2;Port=1", "Server=db;Uid=me;Pwd=[REDACTED:pwd];Port=1"),
    ("**Password:** hunter2", "**Password:** [REDACTED:password]"),
    ("`password`: `hunter2`", "`password`: `[REDACTED:password]`"),
    ("secret: s3cr3t!", "secret: [REDACTED:secret]"),
    ('{"api_key": "abc"}', '{"api_key": "[REDACTED:api_key]"}'),
    ('{"apiKey":"abc","n":1}', '{"apiKey":"[REDACTED:api_key]","n":1}'),
    ("{'password': 'it''s'}", "{'password': '[REDACTED:password]''s'}"),
    ('{"password": "a\\"b\\\\", "n": 1}', '{"password": "[REDACTED:password]", "n": 1}'),
    ('{"password": 12345}', '{"password": "[REDACTED:password]"}'),
    ('config["password"] = "x y"', 'config["password"] = "[REDACTED:password]"'),
    ('api_key: str = "abc"', 'api_key: str = "[REDACTED:api_key]"'),
    ("password=b'hunter2'", "password=b'[REDACTED:password]'"),
    ('secret = """two\nlines"""', 'secret = """[REDACTED:secret]"""'),
    ('if password == "x":', 'if password == "[REDACTED:password]":'),
    ("?user=a&access_token=zz&b=1", "?user=a&access_token=[REDACTED:token]&b=1"),
    ("client_secret=zz refresh_token=yy", "client_secret=[REDACTED:secret] refresh_token=[REDACTED:token]"),
    (f"token: {A}", "token: [REDACTED:token]"),
    ("aws_secret_access_key = wJalrXUt/K7MDENG+bPx", "aws_secret_access_key = [REDACTED:secret_key]"),
    ("AccountName=a;AccountKey=Zm9vYmFyYmF6MTIz+/==;x", "AccountName=a;AccountKey=[REDACTED:secret_key];x"),
    ("SharedAccessKey=abc=;", "SharedAccessKey=[REDACTED:secret_key];"),
    ("Ocp-Apim-Subscription-Key: 12", "Ocp-Apim-Subscription-Key: [REDACTED:secret_key]"),
    (f"https://x/?sv=1&sig={'aB3%2F' * 12}%3D", "https://x/?sv=1&sig=[REDACTED:azure_signature]"),
    ("Authorization: Bearer abc", "Authorization: Bearer [REDACTED:authorization]"),
    ("authorization: basic dXNlcjpwYXNz", "authorization: basic [REDACTED:authorization]"),
    ("curl -H 'Authorization: Token abc' x", "curl -H 'Authorization: Token [REDACTED:authorization]' x"),
    ('{"Authorization": "Bearer a.b"}', '{"Authorization": "Bearer [REDACTED:authorization]"}'),
    ("send Bearer abcdef0123456789 with it", "send Bearer [REDACTED:bearer_token] with it"),
    ("Cookie: sid=abc; csrf=def", "Cookie: [REDACTED:cookie]"),
    ("mysql --user bob --password hunter2 db", "mysql --user bob --password [REDACTED:password] db"),
    ("--api-key=abc", "--api-key=[REDACTED:api_key]"),
    ("<password>hunter2</password>", "<password>[REDACTED:password]</password>"),
    ("postgresql://bob:hunter2@db/x", "postgresql://bob:[REDACTED:url_password]@db/x"),
    ("redis://:hunter2@h:6379/0", "redis://:[REDACTED:url_password]@h:6379/0"),
    ("mysql+x://u:p@ss@h/d?a=b@c", "mysql+x://u:[REDACTED:url_password]@h/d?a=b@c"),
    ("mongodb://u:a/b#c@h/d", "mongodb://u:[REDACTED:url_password]@h/d"),
    ("http:\\/\\/u:p@h", "http:\\/\\/u:[REDACTED:url_password]@h"),
    ('{"credentials": {"user": "bob", "n": true}}', '{"credentials": {"user": "[REDACTED:credentials]", "n": true}}'),
    ('{"passwords": ["a", "b"]}', '{"passwords": ["[REDACTED:password]", "[REDACTED:password]"]}'),
]  # fmt: skip


@pytest.mark.parametrize(("text", "wanted"), FIELDS)
def test_a_value_with_a_secret_name_is_replaced(text: str, wanted: str):
    assert REDACTOR.text(text) == wanted


ORDINARY = [
    "",
    "the password is required",
    "The password: it is required. Password must not be empty.",
    "Forgot your password? Enter it here:",
    'input("Enter the password: ")',
    '{"prompt": "password: ", "b": "x"}',
    "token count: 5, max_tokens=4096, tokens: 17",
    '{"usage": {"prompt_tokens": 12, "total_tokens": 19}, "next_page_token": "' + A + '"}',
    "key: value, primary_key=id, public_key: none, the monkey: here",
    "payment with credit_card_4421486 for order #W2378156 of user mia_li_3668",
    "commit 3f2a9c1b7d8e4f5a6b7c8d9e0f1a2b3c4d5e6f70",
    "id 123e4567-e89b-12d3-a456-426614174000",
    "see https://user@host.org:8080/path?x=a@b.org and http://h:80/a@b",
    "mail me@example.com: it is at https://example.org",
    "risk-assessment-of-international-organisations disk-utilisation-percentage",
    "a task-oriented sk-learn sk-container-id-1 sk-estimator-doc-link",
    "the bearer of news and the bearer characterization",
    "Basic understanding of authorization: none",
    "cat: /etc/passwd: No such file",
    "PWD=/home/bob OLDPWD=/tmp",
    'api_key=os.environ["OPENAI_API_KEY"] password=getpass.getpass() secret=self.secret',
    "connect(password=password, token=None)",
    "password: str = Field(...)",
    "API_KEY=${API_KEY} and password=***",
    'PASSWORD="${DB_PASSWORD}" secret: {{ vault_secret }}',
    "postgresql://{user}:{password}@{host}/x",
    '{"password": {"type": "string", "description": "The password"}}',
    '{"password": null, "secret": false, "api_key": ""}',
    "-----BEGIN CERTIFICATE-----\nMIIEpAIBAAKCAQEA0Z3VS5JJcds3xfn\n-----END CERTIFICATE-----",
    "-----BEGIN PUBLIC KEY-----\nMIIEpAIBAAKCAQEA0Z3VS5JJcds3xfn\n-----END PUBLIC KEY-----",
    "the header -----BEGIN PRIVATE KEY----- starts a key",
    "Cookie: chocolate",
    "eyJhbGciOiJIUzI1NiJ9 alone is a header",
    "secretary: Mrs Hill; secretly: yes",
    "| name | type |\n|------|------|\n| a_b_c | text |",
    "[REDACTED:password] was removed",
    "password=[REDACTED:password]",
]  # fmt: skip


@pytest.mark.parametrize("text", ORDINARY)
def test_what_is_no_secret_stays_the_very_same_object(text: str):
    assert REDACTOR.text(text) is text


def test_a_private_key_in_quoted_lines_keeps_its_quotes():
    lines_of_pem = PEM.split("\n")
    done = json.loads(REDACTOR.text(json.dumps(lines_of_pem)))
    assert done == [lines_of_pem[0], "[REDACTED:private_key]", "[REDACTED:private_key]", lines_of_pem[-1]]


def test_a_private_key_that_was_cut_is_removed_as_far_as_it_goes():
    cut = json.dumps({"content": PEM[:70], "n": 1})
    assert json.loads(REDACTOR.text(cut)) == {"content": "[REDACTED:private_key]", "n": 1}


def test_two_private_keys_and_the_text_between_them():
    mark = "[REDACTED:private_key]"
    assert REDACTOR.text(f"a {PEM} b {PEM} c") == f"a {mark} b {mark} c"


# -- any text ----------------------------------------------------------------------------------------------------

PIECES = st.sampled_from(
    [
        "password", "api_key", "secret", "token", "access_token", "authorization", "Cookie", "credentials", "pwd", "--",
        "=", ":", ": ", " = ", '"', "'", "`", "\\", '\\"', '\\\\"', "\n", " ", ",", "{", "}", "[", "]", "(", ")", "<",
        "</", ">", "://", "@", "user", "hunter2", "12345", "null", "Bearer ", "basic ", "sig=", "%3D", "&", ";", "$",
        A, HEX, JWT, PEM, PEM[:60], PEM[-40:], f"sk-{A}", f"ghp_{A}{A}", "AKIAIOSFODNN7EXAMPLE", "[REDACTED:x]",
        "-", "_", ".", "*", "é", "İ", "ẞ", "\ud800", "\x00", "\u212a", "\u017f",
    ]
)  # fmt: skip
SOUP = st.lists(PIECES, max_size=14).map("".join)


@settings(max_examples=400, deadline=None)
@given(st.one_of(SOUP, st.text()))
def test_any_text_can_be_redacted_and_redacted_again(text: str):
    done = REDACTOR.text(text)
    assert REDACTOR.text(done) == done
    if done == text:
        assert done is text


JSON_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), SOUP, st.text()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.one_of(st.sampled_from(["password", "apiKey", "token", "x", 'a"b']), SOUP), inner, max_size=3
        ),
    ),
    max_leaves=8,
)


@settings(max_examples=400, deadline=None)
@given(JSON_VALUES, st.booleans(), st.sampled_from([(", ", ": "), (",", ":")]))
def test_json_stays_json(value: Any, ascii_only: bool, separators: tuple[str, str]):
    text = json.dumps({"v": value}, ensure_ascii=ascii_only, separators=separators)
    assert "v" in json.loads(REDACTOR.text(text))
    nested = json.dumps({"arguments": text}, ensure_ascii=ascii_only, separators=separators)
    assert "v" in json.loads(json.loads(REDACTOR.text(nested))["arguments"])


@settings(max_examples=300, deadline=None)
@given(st.text(min_size=6).map("§{}§".format), st.integers(0, 3))
def test_whatever_a_password_is_made_of_none_of_it_is_left_in_json(secret: str, times: int):
    data: Any = {"a": 1, "password": secret, "b": [2]}
    for _ in range(times):
        data = {"arguments": json.dumps(data)}
    done = json.loads(REDACTOR.text(json.dumps(data)))
    for _ in range(times):
        done = json.loads(done["arguments"])
    assert done == {"a": 1, "password": "[REDACTED:password]", "b": [2]}


HOSTILE = [
    "a", "\\", '"', "'", "-", "_", "password=", "password: none.", 'password:"', "password: '", 'token:"', "cookie:",
    '"password": ', "--password ", "<password>", "sk-a-", "eyJ", "-eyJ", "eyJaaaaa.", "SG.", "://a:", "@", "://:a@",
    "-----BEGIN PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----\\", "-----BEGIN ", "bearer ", "authorization: bearer ",
    "[REDACTED:x]", 'key"', "?sig=aaa", "ghp_a", "token=a.b(", "password=a(", 'password:\\\\\\"', "\n", '{"password":[',
]  # fmt: skip


@pytest.mark.timeout(60)
@pytest.mark.parametrize("piece", HOSTILE)
def test_a_hostile_megabyte_takes_no_more_than_linear_time(piece: str):
    opens_every_gate = f'password=x B Bearer SG. eyJ K V Y PRIVATE KEY _{A} -{A} AKIA sig= %"'
    REDACTOR.text(opens_every_gate + piece * (1_000_000 // len(piece)) + '@ "</ ')


# -- values ------------------------------------------------------------------------------------------------------


def test_values_under_secret_keys_at_any_depth():
    value = {
        "model": "gpt-4o",
        "max_tokens": 100,
        "config_list": [{"api_key": "abc", "base_url": "https://x"}, {"API-KEY": "d", "tokens": "five"}],
        "headers": {"Authorization": "Bearer abc", "X-Api-Key": "e", "Cookie": "a=b"},
        "key": "value",
        1: ("password=x", {"clientSecret": 5, "private_key": b"bytes", "passwords": ["a", ["b"]]}),
        "credentials": {"user": "bob", "port": 1, "on": True},
        "env": [{"name": "DB_PASSWORD", "value": "x"}, {"name": "HOME", "value": "/root"}],
        "token": "plain",
        "session_token": "plain",
    }
    before = copy.deepcopy(value)
    done = REDACTOR.deep(value)
    assert value == before
    assert done == {
        "model": "gpt-4o",
        "max_tokens": 100,
        "config_list": [
            {"api_key": "[REDACTED:api_key]", "base_url": "https://x"},
            {"API-KEY": "[REDACTED:api_key]", "tokens": "five"},
        ],
        "headers": {
            "Authorization": "Bearer [REDACTED:authorization]",
            "X-Api-Key": "[REDACTED:api_key]",
            "Cookie": "[REDACTED:cookie]",
        },
        "key": "value",
        1: (
            "password=[REDACTED:password]",
            {
                "clientSecret": "[REDACTED:secret]",
                "private_key": "[REDACTED:private_key]",
                "passwords": ["[REDACTED:password]", ["[REDACTED:password]"]],
            },
        ),
        "credentials": {"user": "[REDACTED:credentials]", "port": "[REDACTED:credentials]", "on": True},
        "env": [{"name": "DB_PASSWORD", "value": "[REDACTED:password]"}, {"name": "HOME", "value": "/root"}],
        "token": "plain",
        "session_token": "[REDACTED:token]",
    }
    assert REDACTOR.deep(done) is done


@pytest.mark.parametrize(
    "value",
    [
        None, True, 5, 1.5, "text", b"\xff", [], {}, [{"a": (1, 2)}], {"password": None, "secret": True, "api_key": ""},
        {1, 2}, {"password": {"type": "string", "description": "as text"}}, {None: "x", 3: [4]}, {"tokens": [1, 2]},
    ],
)  # fmt: skip
def test_what_holds_no_secret_comes_back_as_it_is(value: Any):
    assert REDACTOR.deep(value) is value


def test_only_what_holds_a_secret_is_copied():
    clean, dirty = {"a": [1]}, {"password": "x"}
    value = [clean, dirty]
    done = REDACTOR.deep(value)
    assert done is not value
    assert done[0] is clean
    assert done[1] == {"password": "[REDACTED:password]"}


def test_a_container_that_holds_itself_ends():
    value: dict[str, Any] = {"password": "x", "list": [1]}
    value["self"] = value
    value["list"].append(value["list"])
    assert REDACTOR.deep(value) == {"password": "[REDACTED:password]", "list": [1, CYCLE], "self": CYCLE}


def test_shared_parts_are_walked_once():
    value: list[Any] = ["password=x"]
    for _ in range(60):
        value = [value, value]
    done = REDACTOR.deep(value)
    assert done[0] is done[1]


def test_what_is_too_deep_to_look_at_is_not_kept():
    value: list[Any] = ["password=x"]
    for _ in range(5000):
        value = [value]
    done = REDACTOR.deep(value)
    assert TOO_DEEP in str(done)
    assert "password=x" not in str(done)


@dataclass
class Connection:
    host: str
    password: str


class Client:
    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


class Dumped:
    def model_dump(self) -> dict[str, Any]:
        return {"api_key": "abc", "n": 1}


class Hostile:
    def __repr__(self) -> str:
        raise RuntimeError("no")


def test_objects_are_looked_at_as_json_would_show_them():
    assert REDACTOR.deep([Connection("h", "x")]) == [{"host": "h", "password": "[REDACTED:password]"}]
    assert REDACTOR.deep(Dumped()) == {"api_key": "[REDACTED:api_key]", "n": 1}
    assert REDACTOR.deep({"c": Client("<Client token=" + A + ">")}) == {"c": "<Client token=[REDACTED:token]>"}
    clean = Client("<Client>")
    assert REDACTOR.deep(clean) is clean
    assert "Hostile" in REDACTOR.deep(Hostile())


def test_texts_inside_values_and_in_keys():
    assert REDACTOR.deep({f"sk-{A}": 1}) == {"[REDACTED:openai_key]": 1}
    call = {"function": {"name": "login", "arguments": '{"password": "x"}'}}
    assert json.loads(REDACTOR.deep(call)["function"]["arguments"]) == {"password": "[REDACTED:password]"}


@settings(max_examples=200, deadline=None)
@given(JSON_VALUES)
def test_any_value_can_be_walked_and_is_not_changed(value: Any):
    before = copy.deepcopy(value)
    done = REDACTOR.deep(value)
    assert value == before
    assert REDACTOR.deep(done) == done


# -- settings ----------------------------------------------------------------------------------------------------


def test_patterns_of_the_user():
    redactor = Redactor({"customer": r"CUST-\d+", "ssn": r"ssn\s*(?P<number>\d{3}-\d\d-\d{4})"})
    assert redactor.text("CUST-77 has ssn 123-45-6789") == "[REDACTED:customer] has ssn [REDACTED:ssn]"
    assert redactor.deep(["CUST-77"]) == ["[REDACTED:customer]"]
    assert redactor.text(f"sk-{A}") == "[REDACTED:openai_key]"
    plain = "nothing here"
    assert redactor.text(plain) is plain


def test_a_group_that_took_no_part_means_the_whole_match():
    assert Redactor({"x": r"a(b)?c"}).text("ac abc") == "[REDACTED:x] a[REDACTED:x]c"


def test_a_pattern_that_fits_markers_leaves_them_alone():
    redactor = Redactor({"word": r"[A-Za-z]+"})
    done = redactor.text("some password=hunter2 words")
    assert done == "[REDACTED:word] [REDACTED:word]=[REDACTED:password] [REDACTED:word]"
    assert redactor.text(done) == done


@pytest.mark.parametrize(
    ("patterns", "told"),
    [
        ({"bad": "("}, "not a regular expression"),
        ({"bad": r"x*"}, "matches the empty text"),
        ({"bad": r"\b"}, "matches the empty text"),
        ({"bad": r"(?=a)"}, "matches the empty text"),
        ({"bad": 5}, "must be a regular expression"),
        ({"b a d": "x"}, "rename it"),
        ({'b"': "x"}, "rename it"),
    ],
)
def test_a_pattern_that_cannot_be_used_is_named(patterns: Any, told: str):
    with pytest.raises(ConfigError, match=told) as caught:
        Redactor(patterns)
    assert repr(next(iter(patterns))) in str(caught.value)


def test_a_word_is_remembered_only_where_it_holds_no_secret():
    redactor = Redactor({"name": "robin"})
    secret = f"sk_live_{A}"
    for word in ("random", "round_robin", secret, "two words", "x" * 41, 7, None, ["random"]):
        assert redactor.label(word) == redactor.deep(word)
    assert redactor.label("round_robin") == "round_[REDACTED:name]"
    assert redactor.clean == {"random"}
    for number in range(1000):
        redactor.label(f"word{number}")
    assert len(redactor.clean) <= 256


def test_switched_off_it_removes_nothing():
    redactor = Redactor({"x": "hunter"}, enabled=False)
    text, value = "password=hunter2", {"password": "hunter2"}
    assert redactor.text(text) is text
    assert redactor.deep(value) is value
