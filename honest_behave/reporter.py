"""The files of one Allure results directory, and the items that are open while they are written."""

# allure_commons says that it is typed, but few of its functions are.
# mypy: disallow-untyped-calls=False

import json
from collections import OrderedDict
from pathlib import Path
from typing import Any

import attr
from allure_commons.logger import AllureFileLogger
from allure_commons.model2 import Attachment, GlobalAttachment, Globals, TestResult, TestStepResult
from allure_commons.reporter import AllureReporter, ThreadContextItems
from allure_commons.utils import now, uuid4

from honest_behave import output_dir
from honest_behave import results as allure_results


class Files(AllureFileLogger):
    """The files of one results directory. A result's is named after it, so that it can be written again."""

    def __init__(self, results_dir: Path) -> None:
        self.directory = results_dir  # and nothing is made there before the run begins

    def report_result(self, result: TestResult) -> None:
        self._write(result, result.uuid)

    def report_attached_file(self, source: Any, file_name: str) -> None:
        output_dir.write(self.directory, file_name, Path(source).read_bytes())

    def report_attached_data(self, body: str | bytes, file_name: str) -> None:
        output_dir.write(self.directory, file_name, body)

    def _report_item(self, item: Any) -> None:
        self._write(item, uuid4())

    def _write(self, item: Any, name: str) -> None:
        told = attr.asdict(item, filter=lambda _, value: bool(value) or value is False)
        output_dir.write(self.directory, item.file_pattern.format(prefix=name), json.dumps(told, ensure_ascii=False))


class _Items(ThreadContextItems):
    """The open items of one reporter. Behave runs one scenario at a time, so threads share them."""

    def __init__(self) -> None:
        super().__init__()
        self._open: OrderedDict[str, Any] = OrderedDict()

    @property
    def thread_context(self) -> OrderedDict[str, Any]:
        return self._open

    def cleanup(self) -> None:
        """Nothing is kept for single threads."""


class Reporter(AllureReporter):
    """Writes to one directory only, where the stock reporter calls every file logger there is."""

    def __init__(self, files: Files) -> None:
        super().__init__()
        self._items = _Items()
        self._files = files

    def stop_group(self, uuid: str, **changes: Any) -> None:
        self._update_item(uuid, **changes)
        self._files.report_container(container=self._items.pop(uuid))

    def close_test(self, uuid: str) -> None:
        self._files.report_result(result=self._items.pop(uuid))

    def write_again(self, test: TestResult) -> None:
        self._files.report_result(result=test)

    def attach_to(self, test: TestResult, name: str, body: str | bytes, kind: Any, extension: str | None) -> None:
        """Attach to a closed test, in the place of what is attached to it under this name."""
        same = [at for at, attachment in enumerate(test.attachments) if attachment.name == name]
        for at in reversed(same):
            (self._files.directory / test.attachments.pop(at).source).unlink(missing_ok=True)
        self._items[test.uuid] = test
        self.attach_data(uuid4(), body, name, kind, extension, parent_uuid=test.uuid)
        self._items.pop(test.uuid)
        test.attachments.insert(min(same, default=len(test.attachments)), test.attachments.pop())

    def attach_file(
        self,
        uuid: str,
        source: Any,
        name: str | None = None,
        attachment_type: Any = None,
        extension: str | None = None,
        parent_uuid: str | None = None,
    ) -> None:
        file_name = self._place(uuid, name, attachment_type, extension, parent_uuid)
        self._files.report_attached_file(source=source, file_name=file_name)

    def attach_data(
        self,
        uuid: str,
        body: str | bytes,
        name: str | None = None,
        attachment_type: Any = None,
        extension: str | None = None,
        parent_uuid: str | None = None,
    ) -> None:
        file_name = self._place(uuid, name, attachment_type, extension, parent_uuid)
        self._files.report_attached_data(body=body, file_name=file_name)

    def global_attach_file(
        self,
        uuid: str,
        source: Any,
        name: str | None = None,
        attachment_type: Any = None,
        extension: str | None = None,
    ) -> None:
        file_name = self._place_globally(uuid, name, attachment_type, extension)
        self._files.report_attached_file(source=source, file_name=file_name)

    def global_attach_data(
        self,
        uuid: str,
        body: str | bytes,
        name: str | None = None,
        attachment_type: Any = None,
        extension: str | None = None,
    ) -> None:
        file_name = self._place_globally(uuid, name, attachment_type, extension)
        self._files.report_attached_data(body=body, file_name=file_name)

    def global_error(self, message: str | None = None, trace: str | None = None) -> None:
        allure_results.write_global_error(self._files.directory, message or "", trace)

    def _place(self, uuid: str, name: Any, kind: Any, extension: Any, parent_uuid: Any) -> str:
        # Outside of a scenario there is nothing to attach to.
        if parent_uuid is None and self._last_executable() is None:
            return self._place_globally(uuid, name, kind, extension)
        return str(self._attach(uuid, name, kind, extension, parent_uuid))

    def _place_globally(self, uuid: str, name: Any, kind: Any, extension: Any) -> str:
        holder = uuid4()
        self._items[holder] = TestStepResult()
        self._attach(uuid, name, kind, extension, parent_uuid=holder)
        found: Attachment = self._items.pop(holder).attachments[0]
        attachment = GlobalAttachment(name=found.name, source=found.source, type=found.type, timestamp=now())
        self._files.report_globals(globals_item=Globals(attachments=[attachment]))
        return str(found.source)
