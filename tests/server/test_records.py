"""Records over HTTP: listed and given to whom may see the truth, once their episodes are over."""

import os

import pytest
from starlette.testclient import TestClient

from orchestrator.recorder import Recorder
from server.record_folder import MAX_RECORD_BYTES, RecordFolder
from sre_autopilot.grading import dump_lines, read_episodes
from sre_autopilot.world.vocabulary import Tier
from tests.server.doors import WAIT, make_app
from tests.sre_autopilot.grading.episodes import episode

TOKEN = "open-sesame"
AUTHORIZED = {"authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def recording(workshop, tmp_path):
    with TestClient(
        make_app(workshop, record_dir=tmp_path), raise_server_exceptions=False
    ) as client:
        yield client


def write(folder, record, name=None, written_at=0):
    file = folder / f"{name or record.episode_id}.jsonl"
    file.write_text("".join(line + "\n" for line in dump_lines(record)))
    os.utime(file, (written_at, written_at))
    return file


def names(page):
    return [record.record_id for record in page.records]


def test_a_record_is_listed_and_given_when_its_episode_is_over(recording, tmp_path):
    reset = {"task_tier": Tier.EASY, "seed": 3, "episode_id": "mine", "policy": "me"}
    recording.post("/reset", json=reset)
    assert recording.get("/records").json()["records"] == []
    assert recording.get("/records/mine").status_code == 404
    while not recording.post("/step", json=WAIT).json()["done"]:
        assert recording.get("/records/mine").status_code == 404
    (summary,) = recording.get("/records").json()["records"]
    content = recording.get("/records/mine")
    assert content.content == (tmp_path / "mine.jsonl").read_bytes()
    assert content.headers["content-disposition"] == 'attachment; filename="mine.jsonl"'
    (record,) = read_episodes(content.text.splitlines())
    assert summary == {
        "record_id": "mine",
        "episode_id": "mine",
        "tier": record.tier,
        "seed": 3,
        "world_version": record.world_version,
        "backend": record.backend,
        "policy": "me",
        "steps": len(record.steps) - 1,
        "finished": True,
        "score": record.score,
        "validity": record.checked_validity.verdict,
        "began_at": record.steps[0].began_at,
        "ended_at": record.steps[-1].ended_at,
        "size_bytes": len(content.content),
    }


@pytest.mark.parametrize("path", ["/records", "/records/mine", "/records/none"])
@pytest.mark.parametrize("sent", [{}, {"authorization": "Bearer wrong"}])
def test_records_are_for_whom_has_the_token(workshop, tmp_path, path, sent):
    write(tmp_path, episode(last=3), "mine")
    app = make_app(workshop, record_dir=tmp_path, state_token=TOKEN)
    with TestClient(app, raise_server_exceptions=False) as client:
        refused = client.get(path, headers=sent)
        assert (refused.status_code, refused.json()["error"]) == (401, "unauthorized")
        assert refused.headers["www-authenticate"] == "Bearer"
        expected = 404 if path.endswith("none") else 200
        assert client.get(path, headers=AUTHORIZED).status_code == expected


@pytest.mark.parametrize("query", ["offset=-1", "limit=0", "limit=201", "limit=many"])
def test_a_page_that_cannot_be_is_refused(recording, query):
    answer = recording.get(f"/records?{query}")
    assert (answer.status_code, answer.json()["field"]) == (422, query.partition("=")[0])


def test_a_server_that_keeps_no_records_says_so(client):
    page = client.get("/records").json()
    assert page == {"kept": False, "total": 0, "next_offset": None, "records": []}
    assert client.get("/records/mine").json()["error"] == "unknown_record"


def test_pages_go_from_the_newest_record_to_the_oldest(tmp_path):
    for number in range(5):
        write(tmp_path, episode(last=3), f"n{number}", written_at=number)
    folder, listed = RecordFolder(tmp_path), list[str]()
    offset: int | None = 0
    while offset is not None:
        page = folder.page(offset, 2)
        assert page.total == 5
        listed += names(page)
        offset = page.next_offset
    assert listed == ["n4", "n3", "n2", "n1", "n0"]


def test_a_record_is_hidden_while_it_is_written_also_when_the_disk_is_full(tmp_path):
    record, folder = episode(last=3), RecordFolder(tmp_path)
    recorder = Recorder(tmp_path, record)
    recorder.step(record.steps[0])
    assert names(folder.page(0, 9)) == []
    recorder._give_up(OSError("no space left"))
    assert names(folder.page(0, 9)) == []
    recorder.end(record)
    (summary,) = folder.page(0, 9).records
    assert (summary.finished, summary.score, summary.steps) == (False, None, 0)


def test_a_record_of_a_killed_server_is_listed_without_an_end(tmp_path):
    file = write(tmp_path, episode(last=3))
    whole = file.read_bytes()
    file.write_bytes(whole[: whole.rindex(b'{"type": "end"') - 40])
    (summary,) = RecordFolder(tmp_path).page(0, 9).records
    assert (summary.finished, summary.validity, summary.steps) == (False, None, 2)


@pytest.mark.parametrize(
    "content", [b"", b"[1]\n[2]\n", b"{}\n{}\n", b"\xff\xfe\n", b"1", b"{" * MAX_RECORD_BYTES * 2]
)
def test_files_that_are_no_records_are_left_out(tmp_path, content):
    write(tmp_path, episode(last=3), "mine")
    (tmp_path / "noise.jsonl").write_bytes(content)
    (tmp_path / "folder.jsonl").mkdir()
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "mine.jsonl")
    assert names(RecordFolder(tmp_path).page(0, 9)) == ["mine"]


@pytest.mark.parametrize("name", ["..%2Fsecret", ".hidden", "-rf", "%00", "link", "x" * 129])
def test_only_files_of_the_folder_are_given(recording, tmp_path, name):
    (tmp_path.parent / "secret.jsonl").write_text("{}")
    (tmp_path / "link.jsonl").symlink_to(tmp_path.parent / "secret.jsonl")
    assert recording.get(f"/records/{name}").status_code == 404
