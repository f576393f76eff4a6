"""Which keys KubeRay's objects have, from the reference of its interface; pods inside them are Kubernetes' own."""

TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
TEXT, YES_OR_NO = {"type": "string"}, {"type": "boolean"}
COUNT = {"type": "integer", "minimum": 0}
POD = {"type": "object"}  # checked as a PodTemplate


def closed(required=(), **keys):
    """Return the schema of an object that has these keys and no others."""
    return {"type": "object", "properties": keys, "additionalProperties": False, "required": list(required)}


def choice(*words):
    return {"enum": list(words)}


AUTOSCALER = closed(
    idleTimeoutSeconds=COUNT,
    image=TEXT,
    resources={"type": "object"},
    securityContext={"type": "object"},
    upscalingMode=choice("Default", "Aggressive", "Conservative"),
    version=choice("v1", "v2"),
)
HEAD = closed(
    ["template", "rayStartParams"],
    rayStartParams=TEXTS,
    serviceType=choice("ClusterIP", "NodePort", "LoadBalancer"),
    template=POD,
)
WORKERS = closed(
    ["groupName", "template", "minReplicas", "maxReplicas"],
    groupName=TEXT,
    maxReplicas=COUNT,
    minReplicas=COUNT,
    numOfHosts=COUNT,
    rayStartParams=TEXTS,
    replicas=COUNT,
    template=POD,
)
CLUSTER = closed(
    ["rayVersion", "headGroupSpec", "workerGroupSpecs"],
    authOptions=closed(["mode"], mode=choice("token", "disabled"), secretName=TEXT),
    autoscalerOptions=AUTOSCALER,
    enableInTreeAutoscaling=YES_OR_NO,
    headGroupSpec=HEAD,
    rayVersion=TEXT,
    suspend=YES_OR_NO,
    workerGroupSpecs={"type": "array", "items": WORKERS, "minItems": 1},
)
JOB = closed(
    ["entrypoint", "rayClusterSpec"],
    activeDeadlineSeconds={"type": "integer", "minimum": 1},
    backoffLimit=COUNT,
    entrypoint=TEXT,
    rayClusterSpec=CLUSTER,
    shutdownAfterJobFinishes=YES_OR_NO,
    submissionMode=choice("K8sJobMode", "HTTPMode", "InteractiveMode", "SidecarMode"),
    suspend=YES_OR_NO,
    ttlSecondsAfterFinished=COUNT,
)
SPECS = {"RayCluster": CLUSTER, "RayJob": JOB}
