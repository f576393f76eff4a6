"""The bucket: what is written there is safe, and nothing that runs may need goes by its age."""

import re

import hcl2
import pytest

from tests.infra.declared import TERRAFORM


def plain(value):
    """Return what the parser says without its quotes and notes."""
    if isinstance(value, dict):
        return {plain(key): plain(each) for key, each in value.items() if not key.startswith("__")}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value.strip('"') if isinstance(value, str) else value


@pytest.fixture(scope="module")
def files():
    """All blocks of all files, by their kind."""
    found = {}
    for path in sorted(TERRAFORM.glob("*.tf")):
        for kind, blocks in plain(hcl2.loads(path.read_text())).items():
            found.setdefault(kind, []).extend(blocks)
    return found


@pytest.fixture
def resource(files):
    def get(kind, name="outputs", of="resource"):
        (found,) = (block[kind][name] for block in files[of] if name in block.get(kind, {}))
        return found

    return get


def test_versions_are_pinned(files):
    (terraform,) = files["terraform"]
    assert "<" in terraform["required_version"]
    (providers,) = terraform["required_providers"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", providers["aws"]["version"])


def test_the_bucket_is_versioned_encrypted_closed_and_stays(resource):
    assert resource("aws_s3_bucket_versioning")["versioning_configuration"][0]["status"] == "Enabled"
    (rule,) = resource("aws_s3_bucket_server_side_encryption_configuration")["rule"]
    assert rule["apply_server_side_encryption_by_default"][0]["sse_algorithm"] == "AES256"
    closed = resource("aws_s3_bucket_public_access_block")
    switches = ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets")
    assert all(closed[switch] is True for switch in switches)
    (owned,) = resource("aws_s3_bucket_ownership_controls")["rule"]
    assert owned["object_ownership"] == "BucketOwnerEnforced"
    bucket = resource("aws_s3_bucket")
    assert bucket["lifecycle"][0]["prevent_destroy"] is True
    assert "force_destroy" not in bucket
    (deny,) = resource("aws_iam_policy_document", "encrypted_connections", of="data")["statement"]
    assert (deny["effect"], deny["condition"][0]["variable"]) == ("Deny", "aws:SecureTransport")


def test_nothing_current_ends_by_its_age(resource):
    rules = resource("aws_s3_bucket_lifecycle_configuration")["rule"]
    assert all(rule["status"] == "Enabled" and rule["filter"] for rule in rules)
    for rule in rules:
        assert not rule.keys() & {"transition", "noncurrent_version_transition"}
        for expiration in rule.get("expiration", []):
            assert expiration == {"expired_object_delete_marker": True}
    said = {key: rule[key][0] for rule in rules for key in rule if key not in ("id", "status", "filter")}
    assert said["noncurrent_version_expiration"] == {"noncurrent_days": "${var.noncurrent_days}"}
    assert said["abort_incomplete_multipart_upload"]["days_after_initiation"] > 0


def test_runs_may_list_read_write_and_delete_below_their_folder(resource):
    listing, objects = resource("aws_iam_policy_document", "runs", of="data")["statement"]
    assert listing["actions"] == ["s3:ListBucket"]
    (condition,) = listing["condition"]
    assert condition["variable"] == "s3:prefix"
    assert all(value.startswith("${var.prefix}") for value in condition["values"])
    assert set(objects["actions"]) == {
        *("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"),
    }
    assert objects["resources"] == ["${aws_s3_bucket.outputs.arn}/${var.prefix}/*"]
    for statement in (listing, objects):
        assert not any("*" in action for action in statement["actions"])


def test_whoever_reads_knows_what_each_value_is(files):
    for kind in ("variable", "output"):
        for block in files[kind]:
            for name, said in block.items():
                assert said["description"], name
    assert not re.search(r"AKIA|secret_key|access_key", "".join(path.read_text() for path in TERRAFORM.glob("*.tf")))
