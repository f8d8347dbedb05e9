"""Reading a file never runs what is in it: what no module may do, looked for in its syntax tree."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MODULES = sorted((ROOT / "tlcourse").rglob("*.py"))
PICKLES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "shelve", "marshal"}
RUNS_TEXT = {"eval", "exec", "compile", "__import__"}
NEVER = {"read_pickle", "unpack_archive", "enable_unsafe_deserialization"}


def faults(source: str) -> list[str]:
    """What in a program could run what it reads: the line and the reason."""
    found = []
    for node in ast.walk(ast.parse(source)):
        reasons = []
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = {getattr(node, "module", "") or "", *(n.name for n in node.names)}
            reasons = [f"imports {n}" for n in names if n.split(".")[0] in PICKLES]
        elif isinstance(node, ast.Call):
            reasons = _faults_of_call(node)
        found += [f"{node.lineno}: {reason}" for reason in reasons]
    return found


def _faults_of_call(call: ast.Call) -> list[str]:
    name, owner = getattr(call.func, "id", ""), ""
    if isinstance(call.func, ast.Attribute):
        name, owner = call.func.attr, ast.unparse(call.func.value)
    options = {one.arg: getattr(one.value, "value", None) for one in call.keywords}
    call_of = f"{owner}.{name}"
    may_be_pickled = call_of == "np.load" and options.get("allow_pickle") is not False
    rules = {
        "reads arrays that may be pickled": may_be_pickled,
        "unpickles": call_of in ("joblib.load", "torch.load"),
        "reads YAML as any object": call_of in ("yaml.load", "yaml.unsafe_load"),
        "lets Keras run code of a file": options.get("safe_mode") is False,
        "takes all of an archive wherever it leads": name == "extractall",
        "gives text to a shell": options.get("shell") is True,
        "starts a shell": call_of in ("os.system", "os.popen"),
        f"calls {name}": name in NEVER or (not owner and name in RUNS_TEXT),
    }
    return [reason for reason, broken in rules.items() if broken]


@pytest.mark.parametrize(
    "module", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_no_module_runs_what_it_reads(module):
    assert faults(module.read_text(encoding="utf-8")) == []


CARELESS = """import pickle
np.load(path, allow_pickle=True)
joblib.load(path)
yaml.load(text)
keras.models.load_model(path, safe_mode=False)
keras.config.enable_unsafe_deserialization()
tarfile.open(path).extractall(folder)
subprocess.run(text, shell=True)
os.system(text)
exec(text)"""


@pytest.mark.parametrize("careless", CARELESS.splitlines())
def test_what_is_looked_for_is_found(careless):
    assert faults(careless) != []


def test_no_keras_file_is_opened_but_one_just_written():
    """Keras calls what a file names; which of it is harmless depends on the version."""
    opens = [
        (module.name, ast.unparse(call.args[0]))
        for module in MODULES
        for call in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call)
        and getattr(call.func, "attr", "")
        in ("load_model", "deserialize_keras_object", "model_from_json", "from_config")
    ]
    # The other one makes an optimizer of the settings of one in memory.
    assert opens == [("exporting.py", "keras_file"), ("freezing.py", "config")]
