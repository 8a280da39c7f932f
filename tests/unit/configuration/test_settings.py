"""What a user may say, where, and what is answered to everything else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from aotwin.configuration import schema
from aotwin.configuration.settings import ConfigSettings, Settings, load_settings
from aotwin.errors import ConfigurationError
from aotwin.model_spec import SignOptions
from aotwin.reproducible import DEFAULT_EPOCH, source_date_epoch, zip_date_time

REPOSITORY = Path(__file__).parents[3]
MODEL = '[tool.aotwin.models."demo.classifier"]\nprogram = "export_model:classifier"\n'
WINDOWS = {"target": "windows"}


def settings_of(
    folder: Path,
    text: str,
    config_settings: ConfigSettings | None = None,
    environ: dict[str, str] | None = None,
) -> Settings:
    (folder / "pyproject.toml").write_text(text)
    return load_settings(folder, config_settings, environ or {})


def refusal(folder: Path, text: str, *args: object) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        settings_of(folder, text, *args)  # type: ignore[arg-type]
    assert caught.value.cause and caught.value.next_step
    return caught.value


def test_a_project_without_a_table_has_no_target_and_no_models(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, '[project]\nname = "demo"\n')
    assert (settings.target, settings.models, settings.check) == (None, (), "static")
    assert settings.jobs >= 1


def test_a_model_gets_the_default_cpu_of_the_target(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, MODEL, WINDOWS)
    assert settings.target == "windows-x86_64"
    (model,) = settings.models
    assert (model.name, model.stem) == ("demo.classifier", "classifier")
    assert model.program == "export_model:classifier"
    assert model.wrapper is None
    assert model.cpu == ("x86-64-v3",)


TOP = '[tool.aotwin]\ntarget = "windows"\ncpu = ["x86-64-v4"]\njobs = 2\ncheck = "wine"\n'
OWN_CPU = MODEL + 'cpu = ["x86-64-v3", "x86-64-v4"]\n'


@pytest.mark.parametrize(
    ("text", "config_settings", "environ", "expected"),
    [
        pytest.param(MODEL, WINDOWS, {}, ("x86-64-v3",), id="the default"),
        pytest.param(TOP + MODEL, {}, {}, ("x86-64-v4",), id="the project over the default"),
        pytest.param(TOP + OWN_CPU, {}, {}, ("x86-64-v3", "x86-64-v4"), id="the model over both"),
        pytest.param(
            TOP + OWN_CPU, {"cpu": "x86-64-v4"}, {}, ("x86-64-v4",), id="a setting over the model"
        ),
        pytest.param(
            TOP + OWN_CPU,
            {"cpu": ["x86-64-v4", "x86-64-v3"]},
            {"AOTWIN_CPU": "x86-64-v3"},
            ("x86-64-v3",),
            id="the environment over a setting",
        ),
        pytest.param(
            TOP + MODEL,
            {"cpu": ["x86-64-v4", "x86-64-v3"]},
            {},
            ("x86-64-v4", "x86-64-v3"),
            id="a repeated setting is a list",
        ),
        pytest.param(
            TOP + MODEL,
            {},
            {"AOTWIN_CPU": "x86-64-v4, x86-64-v3"},
            ("x86-64-v4", "x86-64-v3"),
            id="commas make a list",
        ),
        pytest.param(
            TOP + MODEL, {}, {"AOTWIN_CPU": ""}, ("x86-64-v4",), id="an empty variable is not set"
        ),
    ],
)
def test_cpus_come_from(
    tmp_path: Path,
    text: str,
    config_settings: ConfigSettings,
    environ: dict[str, str],
    expected: tuple[str, ...],
) -> None:
    (model,) = settings_of(tmp_path, text, config_settings, environ).models
    assert model.cpu == expected


def test_environment_beats_setting_beats_project(tmp_path: Path) -> None:
    text = TOP + MODEL
    assert settings_of(tmp_path, text).jobs == 2
    assert settings_of(tmp_path, text, {"jobs": "3"}).jobs == 3
    assert settings_of(tmp_path, text, {"jobs": "3"}, {"AOTWIN_JOBS": "4"}).jobs == 4
    assert settings_of(tmp_path, text, {"check": ["static"]}).check == "static"
    assert settings_of(tmp_path, text, {"target": "none"}).target is None
    assert settings_of(tmp_path, text, {}, {"AOTWIN_TARGET": "none"}).target is None


def test_settings_of_setuptools_are_kept_apart(tmp_path: Path) -> None:
    said: ConfigSettings = {"--build-option": ["--build-number=1"], "editable_mode": "strict"}
    assert settings_of(tmp_path, MODEL, {**said, "jobs": "1"}).setuptools == said


def test_a_model_says_what_it_is_proven_with(tmp_path: Path) -> None:
    (plain,) = settings_of(tmp_path, MODEL, {**WINDOWS, "check": "run"}).models
    assert (plain.proof, plain.proof_tolerance, plain.proof_data) == (None, None, None)
    said = 'proof = "a.b:c"\nproof-tolerance = { rtol = 1, atol = 0.5 }\nproof-data = false\n'
    (model,) = settings_of(tmp_path, MODEL + said, WINDOWS).models
    assert (model.proof, model.proof_tolerance, model.proof_data) == ("a.b:c", (1.0, 0.5), False)


def test_samples_of_a_ready_wrapper_are_a_file_of_the_project(tmp_path: Path) -> None:
    (tmp_path / "w.pt2").touch()
    text = MODEL.replace('program = "export_model:classifier"', 'wrapper = "w.pt2"')
    text += 'proof = "s.npz"\n'
    assert "proof does not exist" in str(refusal(tmp_path, text, WINDOWS))
    (tmp_path / "s.npz").touch()
    (model,) = settings_of(tmp_path, text, WINDOWS).models
    assert model.proof == tmp_path / "s.npz"


def test_a_model_is_signed_where_its_table_says_so(tmp_path: Path) -> None:
    assert settings_of(tmp_path, MODEL, WINDOWS).models[0].sign is None
    assert settings_of(tmp_path, MODEL + "sign = {}\n", WINDOWS).models[0].sign == SignOptions()
    url = "http://timestamp.example/?a=b"
    text = f'{MODEL}sign = {{ timestamp-url = "{url}", description = "Demo", url = "{url}" }}\n'
    environ = {"AOTWIN_SIGN_CERTIFICATE": "signer.p12", "AOTWIN_SIGN_PASSWORD": "secret"}
    (model,) = settings_of(tmp_path, text, WINDOWS, environ).models
    assert model.sign == SignOptions(url, "Demo", url)


def test_paths_become_absolute_and_inductor_options_dotted(tmp_path: Path) -> None:
    (tmp_path / "a.pt2").touch()
    (tmp_path / "b").mkdir()
    text = """
        [tool.aotwin.models.a_model]
        program = "a.pt2"
        inductor = { max_autotune = false, cpp.simdlen = 512, list = [1, "x"] }
        [tool.aotwin.models.b_model]
        wrapper = "./b"
    """
    first, second = settings_of(tmp_path, text, WINDOWS).models
    assert first.program == str(tmp_path / "a.pt2")
    assert first.inductor == {"max_autotune": False, "cpp.simdlen": 512, "list": [1, "x"]}
    assert second.wrapper == tmp_path / "b"


def test_an_sdk_is_there_when_asked_for(tmp_path: Path) -> None:
    text = MODEL + "sdk = true\n" + MODEL.replace("demo.classifier", "demo.classifier.sdk_user")
    first, second = settings_of(tmp_path, text, WINDOWS).models
    assert (first.sdk, second.sdk) == (True, False)


def model_with(line: str) -> str:
    return f"{MODEL}{line}\n"


def named(name: str) -> str:
    return MODEL.replace("demo.classifier", name)


def made_from(line: str) -> str:
    return f'[tool.aotwin.models."demo.classifier"]\n{line}\n'


KEY = 'tool.aotwin.models."demo.classifier"'


@pytest.mark.parametrize(
    ("text", "config_settings", "environ", "fragments"),
    [
        pytest.param(
            "[tool.aotwin]\ntraget = 1\n",
            {},
            {},
            ["tool.aotwin.traget", "mean target"],
            id="an unknown key of the project",
        ),
        pytest.param(
            model_with('porgram = ""'),
            {},
            {},
            [f"{KEY}.porgram", "mean program"],
            id="an unknown key of a model",
        ),
        pytest.param(
            MODEL,
            {"tagret": "windows"},
            {},
            ["config setting 'tagret'", "mean target"],
            id="setting",
        ),
        pytest.param(
            MODEL, {"models": "x"}, {}, ["config setting 'models'"], id="a key that is no setting"
        ),
        pytest.param(
            MODEL,
            {},
            {"AOTWIN_TARGTE": "windows"},
            ["AOTWIN_TARGTE", "mean AOTWIN_TARGET"],
            id="an unknown variable",
        ),
        pytest.param(
            MODEL, {"target": "windwos"}, {}, ["'windwos'", "mean windows"], id="an unknown target"
        ),
        pytest.param(
            '[tool.aotwin]\ntarget = "linux"\n', {}, {}, ["tool.aotwin.target"], id="project target"
        ),
        pytest.param(
            MODEL,
            {"target": ["windows", "none"]},
            {},
            ["config setting target", "Say it once"],
            id="a target given twice",
        ),
        pytest.param(MODEL, {"target": None}, {}, ["config setting target"], id="no value"),
        pytest.param(MODEL, {"target": ""}, {}, ["target ''"], id="an empty value"),
        pytest.param(
            "", WINDOWS, {}, ["no model is configured for target windows-x86_64"], id="no model"
        ),
        pytest.param("[tool]\naotwin = 3\n", {}, {}, ["tool.aotwin is 3"], id="no table"),
        pytest.param(
            "[tool.aotwin]\nmodels = []\n", {}, {}, ["tool.aotwin.models"], id="models no table"
        ),
        pytest.param(
            '[tool.aotwin.models]\n"a_b" = 1\n', {}, {}, ['models."a_b"'], id="model no table"
        ),
        pytest.param("[tool.aotwin\n", {}, {}, ["no valid TOML", "line 1"], id="broken TOML"),
        pytest.param(
            MODEL + 'cpu = ["x86-64-v5"]',
            WINDOWS,
            {},
            [f"{KEY}.cpu", "'x86-64-v5'", "mean x86-64-v"],
            id="an unknown cpu",
        ),
        pytest.param(
            MODEL, {**WINDOWS, "cpu": "avx2"}, {}, ["'avx2'", "setting cpu"], id="a cpu setting"
        ),
        pytest.param(model_with("cpu = []"), {}, {}, [f"{KEY}.cpu is []"], id="no cpu"),
        pytest.param(model_with('cpu = "x86-64-v3"'), {}, {}, [f"{KEY}.cpu"], id="cpu no list"),
        pytest.param(model_with("cpu = [3]"), {}, {}, [f"{KEY}.cpu"], id="cpu no string"),
        pytest.param(
            model_with('cpu = ["x86-64-v3", "x86-64-v3"]'), {}, {}, ["each once"], id="cpu twice"
        ),
        pytest.param("[tool.aotwin]\njobs = 0\n", {}, {}, ["tool.aotwin.jobs is 0"], id="no jobs"),
        pytest.param("[tool.aotwin]\njobs = true\n", {}, {}, ["jobs is True"], id="jobs true"),
        pytest.param(MODEL, {"jobs": "many"}, {}, ["jobs is 'many'"], id="jobs no number"),
        pytest.param(MODEL, {"jobs": "²"}, {}, ["jobs is '²'"], id="jobs an odd digit"),
        pytest.param(MODEL, {"check": "dynamic"}, {}, ["check is 'dynamic'"], id="check unknown"),
        pytest.param(
            model_with('proof = "s.npz"'),
            {},
            {},
            [f"{KEY}.proof is 's.npz' for a program"],
            id="an archive for a program",
        ),
        pytest.param(
            made_from('wrapper = "w.pt2"\nproof = "a:b"'),
            {},
            {},
            ["'a:b' for a wrapper"],
            id="calls for a wrapper",
        ),
        pytest.param(
            made_from('wrapper = "w"\nproof = "../s.npz"'),
            {},
            {},
            [f"{KEY}.proof"],
            id="proof climbs",
        ),
        pytest.param(model_with('proof = "s.pt"'), {}, {}, [f"{KEY}.proof is 's.pt'"], id="proof"),
        pytest.param(
            model_with("proof-tolerance = { rtol = 1 }"), {}, {}, ["Say both"], id="no atol"
        ),
        pytest.param(
            model_with("proof-tolerance = { rtol = -1, atol = 0 }"),
            {},
            {},
            [f"{KEY}.proof-tolerance.rtol is -1"],
            id="a negative tolerance",
        ),
        pytest.param(
            model_with("proof-tolerance = { rtol = nan, atol = 0 }"),
            {},
            {},
            ["rtol is nan"],
            id="no number for a tolerance",
        ),
        pytest.param(
            model_with("proof-tolerance = { rto = 1, atol = 0 }"),
            {},
            {},
            ["Did you mean rtol?"],
            id="a misspelt tolerance",
        ),
        pytest.param(made_from("cpu = ['x86-64-v3']"), {}, {}, ["neither program"], id="neither"),
        pytest.param(
            model_with('wrapper = "w.pt2"'), {}, {}, [KEY, "program and wrapper"], id="both"
        ),
        pytest.param(
            made_from('prebuilt = "m"\ncpu = ["x86-64-v3"]\nsdk = true'),
            {},
            {},
            [KEY, "prebuilt and cpu, sdk"],
            id="decided elsewhere",
        ),
        pytest.param(
            made_from('prebuilt = "m"'), WINDOWS, {}, [f"{KEY}.prebuilt does not"], id="no folder"
        ),
        pytest.param(made_from('program = "model.onnx"'), {}, {}, [f"{KEY}.program"], id="onnx"),
        pytest.param(made_from('program = "a b:c"'), {}, {}, [f"{KEY}.program"], id="no reference"),
        pytest.param(made_from("program = 3"), {}, {}, [f"{KEY}.program is 3"], id="no string"),
        pytest.param(made_from('program = "../m.pt2"'), {}, {}, [f"{KEY}.program"], id="climbs"),
        pytest.param(made_from('wrapper = "/w"'), {}, {}, [f"{KEY}.wrapper"], id="absolute"),
        pytest.param(made_from('wrapper = "C:w"'), {}, {}, [f"{KEY}.wrapper"], id="a drive"),
        pytest.param(made_from('wrapper = "a\\\\b"'), {}, {}, [f"{KEY}.wrapper"], id="backslash"),
        pytest.param(made_from('wrapper = "."'), {}, {}, [f"{KEY}.wrapper"], id="the project"),
        pytest.param(
            made_from('wrapper = "w.pt2"'), WINDOWS, {}, [f"{KEY}.wrapper does not"], id="missing"
        ),
        pytest.param(
            made_from('program = "m.pt2"'),
            WINDOWS,
            {},
            [f"{KEY}.program does not"],
            id="no program",
        ),
        pytest.param(model_with("inductor = 3"), {}, {}, [f"{KEY}.inductor"], id="inductor"),
        pytest.param(model_with("sign = true"), {}, {}, [f"{KEY}.sign", "table"], id="sign"),
        pytest.param(
            model_with('sign = { timestamp_url = "http://t.example" }'),
            {},
            {},
            [f"{KEY}.sign.timestamp_url", "Did you mean timestamp-url?"],
            id="an unknown key of sign",
        ),
        pytest.param(
            model_with('sign = { timestamp-url = "t.example" }'),
            {},
            {},
            [f"{KEY}.sign.timestamp-url", "http://"],
            id="a timestamp server without its protocol",
        ),
        pytest.param(
            model_with('sign = { url = "http://a b" }'), {}, {}, [f"{KEY}.sign.url"], id="a space"
        ),
        pytest.param(
            model_with("sign = { description = 3 }"),
            {},
            {},
            [f"{KEY}.sign.description"],
            id="a description that is a number",
        ),
        pytest.param(
            model_with('sign = { description = "two\\nlines" }'),
            {},
            {},
            [f"{KEY}.sign.description"],
            id="a description of two lines",
        ),
        pytest.param(
            model_with("inductor = { a.b = 1979-05-27 }"), {}, {}, [".inductor.a.b"], id="a date"
        ),
        pytest.param(named(""), {}, {}, ["''"], id="no name"),
        pytest.param(named("demo..x"), {}, {}, ["''"], id="an empty part"),
        pytest.param(named("demo.class"), {}, {}, ["'class' is a keyword"], id="a keyword"),
        pytest.param(named("demo-x"), {}, {}, ["'demo-x' is no identifier"], id="a dash"),
        pytest.param(named("../x"), {}, {}, ["no identifier"], id="a path as name"),
        pytest.param(named("démo"), {}, {}, ["'démo'"], id="not ASCII"),
        pytest.param(named("demo.__init__"), {}, {}, ["two underscores"], id="dunder"),
        pytest.param(named("demo.aux"), {}, {}, ["'aux' is the name of a device"], id="a device"),
        pytest.param(named("json.model"), {}, {}, ["'json' belongs to Python"], id="stdlib"),
        pytest.param(named("torch"), {}, {}, ["'torch' belongs to PyTorch"], id="torch"),
        pytest.param(model_with('sdk = "yes"'), {}, {}, [f"{KEY}.sdk is 'yes'"], id="sdk no bool"),
        pytest.param(
            named("demo.Aotwin") + "sdk = true\n",
            {},
            {},
            ['"demo.Aotwin".sdk is true', "own library"],
            id="sdk of a namesake",
        ),
        pytest.param(
            model_with("sdk = true") + named("demo.Classifier.sdk.bin"),
            {},
            {},
            [f"{KEY}.sdk is true", "demo.Classifier.sdk.bin", "demo/classifier/sdk"],
            id="a model within the sdk",
        ),
        pytest.param(named("demo.A") + named("demo.a"), {}, {}, ["only by case"], id="case"),
    ],
)
def test_one_message_refuses(
    tmp_path: Path,
    text: str,
    config_settings: ConfigSettings,
    environ: dict[str, str],
    fragments: list[str],
) -> None:
    message = str(refusal(tmp_path, text, config_settings, environ))
    for fragment in fragments:
        assert fragment in message


def test_a_folder_without_pyproject_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"pyproject\.toml cannot be read"):
        load_settings(tmp_path, {}, {})


def test_pyproject_that_is_no_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_bytes(b"a = '\xff'")
    with pytest.raises(ConfigurationError, match="no valid TOML"):
        load_settings(tmp_path, {}, {})


def test_a_link_out_of_the_project_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret.pt2").touch()
    project = tmp_path / "project"
    project.mkdir()
    (project / "w.pt2").symlink_to(tmp_path / "secret.pt2")
    error = refusal(project, made_from('wrapper = "w.pt2"'))
    assert f"{KEY}.wrapper leads out of the project" in str(error)


def test_variables_that_the_code_reads_are_known() -> None:
    read = {
        name
        for path in (REPOSITORY / "plugin").rglob("*.py")
        for name in re.findall(r"environ\S*\"(AOTWIN_[A-Z_]+)\"", path.read_text())
    }
    settings = {
        f"AOTWIN_{name.upper()}" for name, key in schema.PROJECT_KEYS.items() if key.setting
    }
    assert read
    assert read <= settings | set(schema.OTHER_VARIABLES)


@pytest.mark.parametrize("name", schema.OTHER_VARIABLES)
def test_variables_that_are_no_settings_are_let_through(tmp_path: Path, name: str) -> None:
    assert settings_of(tmp_path, MODEL, {}, {name: "x"}).target is None


@pytest.mark.parametrize(
    ("environ", "epoch"),
    [
        pytest.param({}, DEFAULT_EPOCH, id="not set"),
        pytest.param({"SOURCE_DATE_EPOCH": "0"}, 0, id="zero"),
        pytest.param({"SOURCE_DATE_EPOCH": "1700000000"}, 1_700_000_000, id="a time"),
    ],
)
def test_source_date_epoch_is_the_time_of_archives(environ: dict[str, str], epoch: int) -> None:
    assert source_date_epoch(environ) == epoch


@pytest.mark.parametrize(
    "value", ["", "-1", "1.5", "now", " 1", "1_0", "٣", "9" * 30, "4354819199"]
)
def test_a_malformed_source_date_epoch_is_refused(value: str) -> None:
    with pytest.raises(ConfigurationError, match="SOURCE_DATE_EPOCH is"):
        source_date_epoch({"SOURCE_DATE_EPOCH": value})


def test_zip_times_start_in_1980() -> None:
    assert zip_date_time(0) == (1980, 1, 1, 0, 0, 0)
    assert zip_date_time(1_700_000_001) == (2023, 11, 14, 22, 13, 21)
