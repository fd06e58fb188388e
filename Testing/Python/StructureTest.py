"""The house stands as it is described: what CMake installs, who imports whom, what the panel binds."""

import ast
import json
import re
import shutil
import tempfile
import tomllib
import unittest
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree

from tools import set_owner

REPOSITORY = Path(__file__).resolve().parents[2]
MODULE = REPOSITORY / "TSPOQuant"
LIBRARY = MODULE / "TSPOQuantLib"
TESTS = REPOSITORY / "Testing" / "Python"
PLUGIN = REPOSITORY / "DICOMDynamicPETPlugin"

SHARED_MODULES = (
    "display",
    "messages",
    "information",
    "plain",
    "quantities",
    "tracers",
    "typography",
    "lazy_modules",
    "levels",
    "grid",
    "output",
    "progress",
    "settings",
    "toml_file",
)
SHARED = (*SHARED_MODULES, "__version__", "DISCLAIMER")
ROOMS = ("acquisition", "alignment", "regions", "input_function", "kinetics", "outcome", "groups", "reporting")
SLICER_ROOMS = ("mrml", "panel")
QT = {"qt", "ctk"}
SLICER_ONLY = {"slicer", "vtk", "qt", "ctk", "mrml", "vtkmodules", "sitkUtils"}

CALLED_BY_NAME = {
    "format_field": "string.Formatter calls it",
    "initStyleOption": "Qt calls it of an item delegate",
    "read_transform": "for scripts, the other half of write_transform",
}

# Fields of the parameter nodes that no widget is bound to by name, and who sets them.
SET_BY_CODE = {
    "bloodPoolSegmentID": "its combo box lists segments, which Slicer's bindings do not know",
    **dict.fromkeys(
        ("bloodFile", "clinicalFile", "repeatabilityFile", "reportFolder"),
        "Slicer binds ctkPathLineEdit to pathlib.Path only, which shows '.' where nothing is chosen",
    ),
    "sessions": "visits are added and removed by buttons",
    "currentSession": "its combo box lists the visits",
    "furtherSettings": "its table follows from the declarations of all settings",
    "accepted": "a list of findings with check boxes, which Slicer's bindings do not know",
    **dict.fromkeys(
        ("oneTissue", "twoTissue", "logan", "ma1", "furtherModels"),
        "one list offers every model of the library, which Slicer's bindings do not know",
    ),
}


@cache
def files(folder, *suffixes):
    """Files below a folder, without what Python and hidden tools leave behind."""
    found = []
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(REPOSITORY).parts
        left_behind = any(part == "__pycache__" or part.startswith(".") for part in parts)
        if path.is_file() and not left_behind and (not suffixes or path.suffix in suffixes):
            found.append(path)
    return tuple(found)


def own_files(*suffixes):
    """Files of the project; not what a build or a user may have put beside them."""
    for path in sorted(REPOSITORY.iterdir()):
        if path.is_file() and not path.name.startswith(".") and (not suffixes or path.suffix in suffixes):
            yield path
    for folder in ("TSPOQuant", "DICOMDynamicPETPlugin", "Testing", "Resources", "docs", "tools", "python"):
        yield from files(REPOSITORY / folder, *suffixes)


def cmake_list(text, name):
    return re.search(rf"set\({name}\s+(.*?)\)", text, re.DOTALL)[1].split()


def cmake_value(text, name):
    """The value as the Extensions Index reads it: from one line, in double quotes, without running CMake."""
    return re.search(rf'^set\({name} "([^"]+)"\)', text, re.MULTILINE)[1]


@cache
def parsed(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def names_used(tree):
    """Names, attributes and texts of a file; not what it imports or lists in ``__all__``."""
    lists = (node for node in tree.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__")
    listed = {id(item) for node in lists for item in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in listed:
            yield node.value


@cache
def imports(path):
    """Dotted names that a file imports anywhere, relative ones as TSPOQuantLib.…"""
    package = ("TSPOQuantLib", *path.relative_to(LIBRARY).parts[:-1]) if path.is_relative_to(LIBRARY) else ()
    found = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = [*base, *([node.module] if node.module else [])]
            found |= {".".join([*module, alias.name]) for alias in node.names}
    return found


@cache
def rooms_imported(path):
    """First names below TSPOQuantLib that a file imports."""
    return {name.split(".")[1] for name in imports(path) if name.startswith("TSPOQuantLib.")}


def module_name(path):
    """As Python calls it: TSPOQuantLib.kinetics.fit, and TSPOQuantLib.kinetics for the package's own file."""
    parts = ("TSPOQuantLib", *path.relative_to(LIBRARY).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def modules_loaded(path):
    """Modules of ours that are loaded with a file, not by its functions nor for the type checker alone."""
    package = ("TSPOQuantLib", *path.relative_to(LIBRARY).parts[:-1])
    found = set()
    for node in parsed(path).body:
        if isinstance(node, ast.ImportFrom) and node.level:
            base = ".".join([*package[: len(package) - node.level + 1], *([node.module] if node.module else [])])
            names = {f"{base}.{alias.name}" for alias in node.names}
            found |= {name if is_module(name) else base for name in names}
    return found - {module_name(path)}


def is_module(name):
    path = LIBRARY.joinpath(*name.split(".")[1:])
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


class CMakeTest(unittest.TestCase):
    def modules(self):
        return [path for path in sorted(REPOSITORY.glob("*/CMakeLists.txt")) if path.parent.name != "Testing"]

    def assert_listed(self, path, name, listed, present):
        missing, surplus = sorted(present - listed), sorted(listed - present)
        lines = "".join(f"\n  {entry}" for entry in missing)
        self.assertFalse(missing, f"\n{path}: add to {name}:{lines}")
        self.assertFalse(surplus, f"\n{path}: remove from {name}: {surplus}")

    def test_every_file_is_installed(self):
        for path in self.modules():
            text, folder = path.read_text(encoding="utf-8"), path.parent
            name = cmake_list(text, "MODULE_NAME")[0]
            for variable in ("MODULE_PYTHON_SCRIPTS", "MODULE_PYTHON_RESOURCES"):
                listed = {entry.replace("${MODULE_NAME}", name) for entry in cmake_list(text, variable)}
                of_kind = [
                    file.relative_to(folder).as_posix()
                    for file in files(folder)
                    if file != path and (file.suffix == ".py") == (variable == "MODULE_PYTHON_SCRIPTS")
                ]
                with self.subTest(module=name, variable=variable):
                    self.assert_listed(path, variable, listed, set(of_kind))

    def test_every_module_is_built(self):
        text = (REPOSITORY / "CMakeLists.txt").read_text(encoding="utf-8")
        for path in self.modules():
            self.assertIn(f"add_subdirectory({path.parent.name})", text)
        self.assertIn("## NEXT_MODULE", text)

    def test_every_test_is_registered(self):
        text = (TESTS / "CMakeLists.txt").read_text(encoding="utf-8")
        registered = set(re.findall(r"slicer_add_python_unittest\(SCRIPT (\S+?)[ )]", text))
        present = {path.name for path in TESTS.glob("*Test.py")}
        missing = "".join(
            f"\nslicer_add_python_unittest(SCRIPT {name} SLICER_ARGS ${{LOGIC_ONLY}})"
            for name in sorted(present - registered)
        )
        self.assertFalse(missing, f"\nadd to {TESTS / 'CMakeLists.txt'}:{missing}")
        self.assertFalse(registered - present)


class ExtensionTest(unittest.TestCase):
    """What the Extensions Index checks."""

    def setUp(self):
        self.cmake = (REPOSITORY / "CMakeLists.txt").read_text(encoding="utf-8")
        self.entry = json.loads((REPOSITORY / "TSPOQuant.json").read_text(encoding="utf-8"))

    def test_entry_has_what_the_schema_asks_for(self):
        allowed = {"$schema", "category", "scm_url", "scm_revision", "scm_type", "build_dependencies"}
        allowed |= {"dicom_support_rule", "build_subdirectory", "enabled", "tier"}
        self.assertLessEqual({"$schema", "category", "scm_url"}, set(self.entry))
        self.assertLessEqual(set(self.entry), allowed)
        self.assertIn("schema-v1.0.2.json", self.entry["$schema"])

    def test_names_follow_the_rules(self):
        self.assertIn("project(TSPOQuant)", self.cmake)
        self.assertTrue(self.entry["scm_url"].endswith("/SlicerTSPOQuant.git"))

    def test_all_lines_name_one_account_and_one_list_of_people(self):
        self.assertEqual(len({account for _, account in set_owner.accounts(REPOSITORY)}), 1)
        self.assertEqual(len({people for _, people in set_owner.people(REPOSITORY)}), 1)
        self.assertEqual([name for name, _ in set_owner.people(REPOSITORY)].count("CMakeLists.txt"), 1)
        # No line that the script does not know of.
        for path in own_files(*TextTest.SUFFIXES):
            if path.relative_to(REPOSITORY).as_posix() not in (*set_owner.FILES, "tools/set_owner.py"):
                with self.subTest(file=path.name):
                    self.assertNotRegex(path.read_text(encoding="utf-8"), rf"com/\w+/{set_owner.PROJECT}")

    def test_the_owner_is_filled_in_by_one_command(self):
        people = "A. Name (Institute of Examples), B. Naïm (Université)"
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            for name in set_owner.FILES:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(REPOSITORY / name, folder / name)
            before = {name: (folder / name).read_text(encoding="utf-8") for name in set_owner.FILES}
            for account in ("first-account", "second"):
                set_owner.fill_in(folder, account, people)
                self.assertEqual({found for _, found in set_owner.accounts(folder)}, {account})
                self.assertEqual({found for _, found in set_owner.people(folder)}, {people})
                for name in set_owner.FILES:
                    self.assertNotIn(set_owner.UNKNOWN, (folder / name).read_text(encoding="utf-8"), name)
            for name, text in before.items():  # and nothing else is changed
                now = (folder / name).read_text(encoding="utf-8").splitlines()
                changed = [line for line, old in zip(now, text.splitlines(), strict=True) if line != old]
                self.assertTrue(all("second" in line or people in line for line in changed), name)
            for wrong in ("", "a/b", "OWNER", "-a", "a b"):
                with self.assertRaises(ValueError):
                    set_owner.fill_in(folder, wrong)

    def test_the_entry_passes_what_the_index_checks(self):
        """What its script checks without a network: form and line ends of the entry, category, names, addresses,
        licence, size of a clone."""
        self.assertNotIn(b"\r", (REPOSITORY / "TSPOQuant.json").read_bytes())
        self.assertIn(self.entry["category"], ("Quantification", "Nuclear Medicine"))
        self.assertEqual(urlsplit(self.entry["scm_url"]).scheme, "https")
        self.assertIn(self.entry["tier"], range(1, 6))
        # The first project() is taken for the extension's name, whatever comes before it.
        self.assertEqual(re.findall(r"project\s*\(\s*([^\s\)\n\r]+)", self.cmake, re.IGNORECASE)[0], "TSPOQuant")
        for name in ("EXTENSION_ICONURL", "EXTENSION_SCREENSHOTURLS"):
            found = re.findall(rf'set\s*\({name}\s*"([^"]+)"[ ]*\)', self.cmake)
            self.assertEqual(len(found), 1)
            for address in found[0].split():
                self.assertRegex(address, r"^https://.*\.(png|jpg|jpeg|gif)$")
        for name in ("EXTENSION_KEYWORDS", "EXTENSION_RECOMMENDS"):  # the description joins them with spaces
            self.assertTrue(all(re.fullmatch(r'"[\w-]+"', word) for word in cmake_list(self.cmake, name)), name)
        size = sum(path.stat().st_size for path in own_files())
        self.assertLess(size, 100e6)

    def test_pictures_are_there(self):
        for name in ("EXTENSION_ICONURL", "EXTENSION_SCREENSHOTURLS"):
            for address in cmake_value(self.cmake, name).split():
                picture = REPOSITORY / address.split("/main/")[1]
                header = picture.read_bytes()[:24]
                self.assertEqual(header[:8], b"\x89PNG\r\n\x1a\n", picture)
                if name == "EXTENSION_ICONURL":
                    self.assertEqual(header[16:24], (128).to_bytes(4, "big") * 2)

    def test_licence_is_there(self):
        self.assertTrue((REPOSITORY / "LICENSE").is_file())


class PackageTest(unittest.TestCase):
    """What pip installs and what the launcher does, against what the files say elsewhere."""

    def setUp(self):
        self.project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    def pinned(self, name):
        lines = (REPOSITORY / name).read_text(encoding="utf-8").splitlines()
        return {line.split("==")[0].lower().replace("_", "-") for line in lines if not line.startswith("#")}

    def names(self, requirements):
        return {re.split(r"[<>=\[]", one)[0].lower() for one in requirements}

    def test_one_version_everywhere(self):
        version = re.search(r'__version__ = "(.+)"', (LIBRARY / "__init__.py").read_text(encoding="utf-8"))[1]
        self.assertEqual(self.project["dynamic"], ["version"])
        self.assertIn(f"\nversion: {version}\n", (REPOSITORY / "CITATION.cff").read_text(encoding="utf-8"))
        self.assertIn(f"\n## {version} ", (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8"))

    def test_pip_and_the_launcher_install_the_same(self):
        extras = self.project["optional-dependencies"]
        needed = self.names([*self.project["dependencies"], *extras["report"]])
        self.assertLessEqual(needed, self.pinned("requirements.txt") | self.pinned("requirements-dicom.txt"))
        self.assertLessEqual(self.names(extras["cohort"]), self.pinned("requirements-cohort.txt"))
        self.assertLessEqual(self.names(extras["test"]) - {"tspoquant"}, self.pinned("requirements-test.txt"))
        report = (MODULE / "Resources" / "requirements.txt").read_text(encoding="utf-8").splitlines()
        self.assertEqual({line for line in report if not line.startswith("#")}, set(extras["report"]))

    def test_what_commands_need_is_light(self):
        heavy = {"slicer-core", "vtk", "pyside6-essentials"}
        for name in ("requirements.txt", "requirements-dicom.txt", "requirements-cohort.txt"):
            self.assertFalse(self.pinned(name) & heavy, name)

    def test_every_data_file_is_packed(self):
        patterns = ("*.json", "templates/*")
        for path in files(LIBRARY):
            if path.suffix != ".py":
                packed = path.suffix == ".json" or path.parent.name == "templates"
                self.assertTrue(packed, f"{path}: add to package-data of pyproject.toml, which has {patterns}")


class ImportTest(unittest.TestCase):
    def test_rooms_import_only_rooms_before_them(self):
        for position, room in enumerate(ROOMS):
            allowed = {*SHARED, *ROOMS[: position + 1]}
            for path in files(LIBRARY / room, ".py"):
                with self.subTest(file=path.relative_to(LIBRARY).as_posix()):
                    self.assertLessEqual(rooms_imported(path), allowed)

    def test_shared_modules_import_no_room(self):
        for name in SHARED_MODULES:
            self.assertLessEqual(rooms_imported(LIBRARY / f"{name}.py"), set(SHARED))

    def test_phantom_does_not_know_what_it_tests(self):
        for path in files(LIBRARY / "phantom", ".py"):
            with self.subTest(file=path.name):
                self.assertFalse(rooms_imported(path) & set(ROOMS[:-1]))

    def test_two_rooms_know_slicer(self):
        for path in files(LIBRARY, ".py"):
            if path.parent.name not in SLICER_ROOMS:
                with self.subTest(file=path.relative_to(LIBRARY).as_posix()):
                    self.assertFalse({name.split(".")[0] for name in imports(path)} & SLICER_ONLY)

    def importers(self, room):
        """Files outside a room that import it."""
        outside = (path for path in files(LIBRARY, ".py") if path.relative_to(LIBRARY).parts[0] != room)
        return {path.relative_to(LIBRARY).as_posix() for path in outside if room in rooms_imported(path)}

    def test_only_doors_know_slicers_rooms_and_the_phantom(self):
        panel = {path.relative_to(LIBRARY).as_posix() for path in files(LIBRARY / "panel", ".py")}
        self.assertFalse(self.importers("panel"))
        self.assertLessEqual(self.importers("mrml"), panel)
        doors = {"demo.py", "commands/simulated.py", "commands/planning.py", "mrml/sample_data.py"}
        self.assertLessEqual(self.importers("phantom"), doors)

    def test_no_room_knows_the_corridor_or_the_doors(self):
        for room in ("pipeline", "commands", "cli", "demo", "cohort", "cohort_workers", "exports", "terminal"):
            inside = {name for name in self.importers(room) if name.split("/")[0] in (*ROOMS, "phantom")}
            with self.subTest(room):
                self.assertFalse(inside)
        for door in ("commands", "cli", "demo", "cohort", "cohort_workers", "exports", "terminal"):
            with self.subTest(door):
                self.assertFalse({name for name in self.importers(door) if name.startswith("pipeline/")})

    def test_no_file_imports_itself_by_way_of_others(self):
        needed = {module_name(path): modules_loaded(path) for path in files(LIBRARY, ".py")}
        done, way = set(), []

        def follow(name):
            self.assertNotIn(name, way, " → ".join([*way, name]))
            if name not in done:
                way.append(name)
                for other in sorted(needed.get(name, ())):
                    follow(other)
                way.pop()
                done.add(name)

        for name in needed:
            follow(name)

    def test_every_definition_is_used(self):
        """What ships uses whatever the library defines: being imported or listed alone is no use, and what tests
        alone call goes."""
        shipped = (*files(MODULE, ".py"), *files(REPOSITORY / "python", ".py"), *files(PLUGIN, ".py"))
        used = {name for path in shipped for name in names_used(parsed(path))} | set(CALLED_BY_NAME)
        unused = [
            f"{path.relative_to(LIBRARY).as_posix()}: {node.name}"
            for path in files(LIBRARY, ".py")
            for node in ast.walk(parsed(path))
            if isinstance(node, ast.FunctionDef | ast.ClassDef)
            if not node.name.startswith("__") and node.name not in used
        ]
        self.assertEqual(unused, [])

    def test_only_developers_commands_know_their_tools(self):
        for path in files(LIBRARY, ".py"):
            if path.name != "developers.py":
                with self.subTest(file=path.relative_to(LIBRARY).as_posix()):
                    self.assertFalse({name.split(".")[0] for name in imports(path)} & {"tools"})

    def test_the_panel_alone_knows_qt(self):
        for path in files(LIBRARY / "mrml", ".py"):
            with self.subTest(file=path.name):
                self.assertFalse({name.split(".")[0] for name in imports(path)} & QT)
                self.assertNotIn("panel", rooms_imported(path))

    def test_every_room_says_what_it_is(self):
        for path in files(LIBRARY, ".py"):
            if path.name == "__init__.py":
                with self.subTest(room=path.parent.name):
                    self.assertTrue(ast.get_docstring(parsed(path)))


class PanelFileTest(unittest.TestCase):
    def setUp(self):
        self.ui = ElementTree.parse(MODULE / "Resources" / "UI" / "TSPOQuant.ui").getroot()
        files_with_texts = (
            MODULE / "TSPOQuant.py",
            *(LIBRARY / "panel").glob("*.py"),
            *(LIBRARY / "mrml").glob("*.py"),
        )
        self.modules = [ast.parse(path.read_text(encoding="utf-8")) for path in files_with_texts]
        self.choices = ast.parse((LIBRARY / "mrml" / "choices.py").read_text(encoding="utf-8"))

    def fields(self):
        described = [
            node
            for node in self.choices.body
            if isinstance(node, ast.ClassDef) and node.name.endswith("ParameterNode")
        ]
        return [item.target.id for node in described for item in node.body if isinstance(item, ast.AnnAssign)]

    def test_every_parameter_has_its_widget(self):
        bound = [e.findtext("string") for e in self.ui.iter("property") if e.get("name") == "SlicerParameterName"]
        self.assertEqual(len(bound), len(set(bound)), "two widgets are bound to one parameter")
        self.assertFalse(set(bound) & set(SET_BY_CODE))
        self.assertEqual(sorted([*bound, *SET_BY_CODE]), sorted(self.fields()))

    def test_every_control_explains_itself(self):
        for widget in self.ui.iter("widget"):
            if widget.get("class") == "qMRMLWidget":
                continue
            tips = [e.findtext("string") for e in widget.findall("property") if e.get("name") == "toolTip"]
            with self.subTest(widget=widget.get("name")):
                self.assertTrue(tips and tips[0])

    def test_every_selector_gets_the_scene(self):
        selectors = {w.get("name") for w in self.ui.iter("widget") if w.get("class") == "qMRMLNodeComboBox"}
        wired = {c.findtext("receiver") for c in self.ui.iter("connection")}
        self.assertEqual(selectors, wired)

    def test_no_text_is_formatted_before_it_is_translated(self):
        for node in (node for module in self.modules for node in ast.walk(module)):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "_":
                self.assertIsInstance(node.args[0], ast.Constant, ast.unparse(node))


class TextTest(unittest.TestCase):
    SUFFIXES = (".py", ".txt", ".md", ".json", ".toml", ".ui", ".svg", ".cff", ".yml", ".csv", "")

    def test_no_path_of_some_machine(self):
        pattern = re.compile(r"(?<![\w.~$}])/(?:home|Users|work|root)/\w|[A-Z]:\\Users")
        for path in own_files(*self.SUFFIXES):
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
                self.assertIsNone(pattern.search(line), f"{path}:{number}: {line.strip()}")

    def test_no_tabs(self):
        for path in own_files(".py", ".txt", ".ui", ".json", ".toml"):
            self.assertNotIn("\t", path.read_text(encoding="utf-8"), path)


if __name__ == "__main__":
    unittest.main()
