"""The manifests: what Kubernetes would accept, with no more rights than are needed."""

import jsonschema
import kubernetes_validate
import pytest
import yaml

from flows.cli.parser import build_parser
from tests.infra.declared import KUBERNETES, containers, manifests, one, pod_templates, ray_clusters
from tests.infra.kuberay import SPECS

OLDEST, NEWEST = "1.31", "1.37"


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_kubernetes_accepts_its_own_objects_and_the_pods_in_the_others(version):
    pods = [{"apiVersion": "v1", "kind": "PodTemplate", "template": template} for template in pod_templates()]
    own = [each for each in manifests() if each["kind"] != "Kustomization" and each["apiVersion"] != "ray.io/v1"]
    assert len(own) == 11
    for manifest in own + pods:
        kubernetes_validate.validate(manifest, version, strict=True)


def test_kuberay_accepts_its_objects():
    found = [each for each in manifests() if each["apiVersion"] == "ray.io/v1"]
    assert {each["kind"] for each in found} == set(SPECS)
    for manifest in found:
        jsonschema.validate(manifest["spec"], SPECS[manifest["kind"]])
    spoilt = {**one("RayCluster")["spec"], "enableInTreeAutoScaling": True}
    with pytest.raises(jsonschema.ValidationError, match="enableInTreeAutoScaling"):
        jsonschema.validate(spoilt, SPECS["RayCluster"])


def test_all_files_are_applied_but_for_the_secret_and_the_job():
    (listed,) = (each["resources"] for each in manifests() if each["kind"] == "Kustomization")
    there = {path.name for path in KUBERNETES.glob("*.yaml")}
    assert there - set(listed) == {"kustomization.yaml", "secret.example.yaml", "rayjob.yaml"}
    assert set(listed) < there


def test_a_job_has_the_cluster_that_stays():
    stays, of_job = ray_clusters()
    assert stays == of_job


def test_the_cluster_grows_with_what_waits_and_its_head_measures_nothing():
    spec = one("RayCluster")["spec"]
    assert spec["enableInTreeAutoscaling"] is True
    assert spec["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    groups = {group["groupName"]: group for group in spec["workerGroupSpecs"]}
    for name, group in groups.items():
        assert group["minReplicas"] < group["maxReplicas"], name
        (container,) = group["template"]["spec"]["containers"]
        asked = container["resources"]
        assert asked["limits"] == asked["requests"], name
        assert ("nvidia.com/gpu" in asked["limits"]) == (name == "gpu") == container["image"].endswith("-cuda")
    assert groups["gpu"]["minReplicas"] == 0


def test_a_job_ends_and_leaves_nothing():
    job = one("RayJob")["spec"]
    assert job["shutdownAfterJobFinishes"] is True
    assert job["ttlSecondsAfterFinished"] > 0
    assert job["activeDeadlineSeconds"] > 0
    assert job["backoffLimit"] == 0
    program, *words = job["entrypoint"].split()
    assert program == "mapmerge"
    asked = build_parser().parse_args(words)
    assert asked.ray == "auto"
    assert any(setting.startswith("compute.actors=") for setting in asked.overrides)


def test_pods_have_no_rights():
    for template in pod_templates():
        spec = template["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not spec.keys() & {"hostNetwork", "hostPID", "hostIPC"}
        assert not any("hostPath" in volume for volume in spec.get("volumes", []))
    confined = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert all(container["securityContext"] == confined for container in containers())
    assert all(set(container["resources"]) == {"limits", "requests"} for container in containers())


def test_only_the_head_may_talk_to_kubernetes():
    heads = [spec["headGroupSpec"]["template"] for spec in ray_clusters()]
    for template in pod_templates():
        assert (template["spec"].get("automountServiceAccountToken") is False) == (template not in heads)


def test_roles_name_what_they_allow():
    role, binding = one("Role"), one("RoleBinding")
    for rule in role["rules"]:
        assert "*" not in rule["apiGroups"] + rule["resources"] + rule["verbs"]
        assert not {"secrets", "pods/exec"} & set(rule["resources"])
    assert {each["kind"] for each in manifests()}.isdisjoint({"ClusterRole", "ClusterRoleBinding"})
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert [subject["name"] for subject in binding["subjects"]] == ["runner"]


def test_nobody_comes_in_from_elsewhere():
    policy = one("NetworkPolicy")["spec"]
    assert policy["podSelector"] == {}
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    for rule in policy["ingress"]:
        assert rule["from"]
        assert all(each == {"podSelector": {}} or "namespaceSelector" in each for each in rule["from"])
    for rule in policy["egress"]:
        assert rule["to"] == [{"podSelector": {}}] or rule["ports"]
        for each in rule["to"]:
            assert "ipBlock" not in each or "169.254.0.0/16" in each["ipBlock"]["except"]
    assert not [each for each in manifests() if each["kind"] in ("Service", "Ingress")]
    assert {spec["headGroupSpec"]["serviceType"] for spec in ray_clusters()} == {"ClusterIP"}


def test_secrets_are_examples_and_whoever_needs_one_finds_its_key():
    secrets = {each["metadata"]["name"]: each["stringData"] for each in manifests() if each["kind"] == "Secret"}
    assert {value for data in secrets.values() for value in data.values()} == {"CHANGE_ME"}
    for spec in ray_clusters():
        assert "auth_token" in secrets[spec["authOptions"]["secretName"]]
    for container in containers():
        for source in container["envFrom"]:
            assert source.get("secretRef", {}).get("name", "mapmerge-s3") in secrets
        for variable in container.get("env", []):
            if "valueFrom" in variable:
                wanted = variable["valueFrom"]["secretKeyRef"]
                assert wanted["key"] in secrets[wanted["name"]]


def test_the_worker_finds_ray_prefect_and_the_namespace():
    worker = one("Deployment")["spec"]["template"]["spec"]["containers"][0]
    head = next(variable["value"] for variable in worker["env"] if variable["name"] == "RAY_HEAD")
    assert head == f"{one('RayCluster')['metadata']['name']}-head-svc:6379"
    namespace, url = one("Namespace")["metadata"]["name"], one("ConfigMap")["data"]["PREFECT_API_URL"]
    assert {each["metadata"].get("namespace", namespace) for each in manifests() if "metadata" in each} == {namespace}
    to_prefect = yaml.safe_dump(one("NetworkPolicy")["spec"]["egress"])
    _, of_server, *_ = url.removeprefix("http://").split(".")
    assert f"kubernetes.io/metadata.name: {of_server}\n" in to_prefect
