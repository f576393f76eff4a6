import json, time, pytest
from pathlib import Path
def test_it(digits_family, prefect_server, tmp_path, capsys):
    from flows.cli import main
    t=time.time()
    code = main(["plan", str(digits_family/"study.yaml")])
    print(time.time()-t)
    t=time.time()
    code = main(["run", str(digits_family/"study.yaml"), "--output", str(tmp_path/"out"), "--run-id", "a"])
    print(time.time()-t)
    out=capsys.readouterr()
    with capsys.disabled():
        print(out.out, out.err)
    assert code==0
    r=json.loads((tmp_path/"out/runs/a/result.json").read_text())
    with capsys.disabled():
        for k,v in r["surrogates"].items(): v.pop("loo"); print(k,v)
        print(r["hypervolume"], r["warnings"])
        print([ (p["coefficients"],p["measured"]) for p in r["front"]])
        print(r["baselines"]["base"]["measured"], {k:v["measured"] for k,v in r["baselines"]["experts"].items()})
