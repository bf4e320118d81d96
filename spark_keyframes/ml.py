"""KeyframeSampler: the operator as a stage of a pyspark.ml Pipeline.

Params have Spark ML's camelCase, `maxNumFrames` for `max_num_frames`: they stand beside `inputCol`
and those of other stages in calls, in `explainParams()` and in what is saved.
"""

import inspect
import os
from dataclasses import dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Any, Self, get_args

from pyspark.ml import Transformer
from pyspark.ml.param import Param, Params
from pyspark.ml.param.shared import HasInputCol, HasOutputCol
from pyspark.ml.util import DefaultParamsReadable, DefaultParamsWritable, DefaultParamsWriter

from spark_keyframes.checks import check_choice, check_integer, check_type
from spark_keyframes.engine import Callback
from spark_keyframes.errors import ParameterError
from spark_keyframes.fields import camel_case, doc_of, spelled
from spark_keyframes.imports import described, object_from
from spark_keyframes.module import KeyframesModule
from spark_keyframes.result import ImagesAs, OnError
from spark_keyframes.sampler import VideoAdaptiveKeyframesSampling
from spark_keyframes.selection import Selector
from spark_keyframes.spark.transform_options import TRANSFORM_OPTIONS
from spark_keyframes.spark.versions import is_connect

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


class KeyframeSampler(
    Transformer,
    HasInputCol,
    HasOutputCol,
    DefaultParamsReadable["KeyframeSampler"],
    DefaultParamsWritable,
):
    """Adds the keyframes of each video, as VideoAdaptiveKeyframesSampling.transform does.

        sampler = KeyframeSampler(inputCol="video", text="spoon", maxNumFrames=4)
        model = Pipeline(stages=[sampler, ...]).fit(videos)
        model.write().overwrite().save(path)

    Every parameter of VideoAdaptiveKeyframesSampling, every field of its Limits and Access, and
    every option of its `transform` is a Param of that name in camelCase and with that default:
    `fps`, `maxNumFrames`, `maxDownloadBytes`, `allowedSchemes`, `textCol`, `errorCol`, ….
    `explainParams()` lists them. Each can be given here, to `setParams`, to its own setter
    (`setMaxNumFrames(4)`), and to `transform(videos, {sampler.maxNumFrames: 4})`.

    `module`, `selector` and `callbacks` take objects, import paths ("mypackage:Brightness"), or
    {"class": "mypackage:Brightness", "args": {"size": 72}}. An object can be saved with the stage
    if its class can be imported by name, and is a dataclass or has a method `params()` that returns
    the arguments of its constructor.

    Raises:
        ParameterError: a value is invalid; raised when it is set. It is a ValueError too. In
            `transform`, a column is missing, of the wrong type, or exists already.
    """

    def __init__(self, **params: Any) -> None:
        super().__init__()
        self._setDefault(**{name: source.default for name, source in _SOURCES.items()})
        self.setParams(**params)

    if TYPE_CHECKING:
        # Params and their setters and getters are added below, one for each parameter.
        def __getattr__(self, name: str) -> Any: ...

    def setParams(self, **params: Any) -> Self:  # noqa: N802 - as Spark ML calls it
        """Set several Params at once, each by its name."""
        for name, value in params.items():
            if name not in _SOURCES:
                raise ParameterError(
                    f"{name!r} is no Param of KeyframeSampler; it has {', '.join(sorted(_SOURCES))}"
                )
            self.set(self.getParam(name), value)
        return self

    def set(self, param: "Param[Any]", value: Any) -> None:
        """Set one Param."""
        try:
            super().set(param, value)
        except ValueError as error:
            # Spark makes a plain ValueError of it.
            raise ParameterError(str(error)) from None

    def write(self) -> "DefaultParamsWriter":
        """Return the writer of the Params, for `write().overwrite().save(path)`."""
        return _Writer(self)

    def _transform(self, dataset: "DataFrame") -> "DataFrame":
        values: dict[str, dict[str, Any]] = {}
        for name, source in _SOURCES.items():
            values.setdefault(source.part, {})[source.name] = self.getOrDefault(name)
        options, parameters = values.pop(_TRANSFORM), values.pop(_OPERATOR)
        parts = {name: _PARTS[name](**of_part) for name, of_part in values.items()}
        sampler = VideoAdaptiveKeyframesSampling(**parameters, **parts)
        return sampler.transform(dataset, **options)


class _Writer(DefaultParamsWriter):
    """Saves objects by import path, and overwrites over Connect without a JVM in this process."""

    def saveImpl(self, path: str) -> None:  # noqa: N802 - as Spark ML calls it
        # Before 4.0 it takes a SparkContext only, and over Connect there is none.
        spark = self.sparkSession if is_connect(self.sparkSession) else self.sc
        self.saveMetadata(self.instance, path, spark, paramMap=self._values())

    def _values(self) -> dict[str, Any]:
        """Return what was set, by the Param's name, for JSON."""
        return {
            param.name: _for_json(value, param.name)
            for param, value in self.instance._paramMap.items()
        }

    def save(self, path: str) -> None:
        spark = self.sparkSession
        if not (self.shouldOverwrite and is_connect(spark)):
            self._values()  # fails before Spark deletes what is overwritten
            super().save(path)
            return
        # A stage is saved as one row of text.
        text = self._get_metadata_to_save(self.instance, spark, paramMap=self._values())
        frame = spark.createDataFrame([(text,)], "value string").coalesce(1)
        frame.write.mode("overwrite").text(os.path.join(path, "metadata"))  # noqa: PTH118 - a URL


_OBJECTS: dict[str, type] = {
    "module": KeyframesModule,
    "selector": Selector,
    "callbacks": Callback,
}
"""Params that take objects of the user's, or the import paths of their classes."""


def _object(name: str, value: Any) -> Any:
    """The object, or list of objects, that a Param of `_OBJECTS` was given in any form."""
    if name == "callbacks" and isinstance(value, (list, tuple)):
        return [object_from(each, Callback, name) for each in value]
    is_path = isinstance(value, str) and ":" in value
    return object_from(value, _OBJECTS[name], name) if is_path or isinstance(value, dict) else value


def _for_json(value: Any, name: str) -> Any:
    if isinstance(value, list):
        return [_for_json(each, name) for each in value]
    return described(value, name) if isinstance(value, tuple(_OBJECTS.values())) else value


_CHOICES: dict[str, Any] = {"on_error": OnError, "images": ImagesAs}
"""Options of `transform` that take one of several words."""

# What a Param is of: the operator, its `limits`, its `access`, or its `transform`.
_OPERATOR, _TRANSFORM = "", "transform"
_PARTS: dict[str, type] = {
    _OPERATOR: VideoAdaptiveKeyframesSampling,
    **{
        field.name: type(field.default)
        for field in fields(VideoAdaptiveKeyframesSampling)
        if is_dataclass(field.default)
    },
}


@dataclass(frozen=True)
class _Source:
    """What a Param is made from: a field of a dataclass, or an option of `transform`."""

    part: str
    name: str
    default: Any

    @property
    def param(self) -> str:
        """The Param's name."""
        return camel_case(self.name)

    @property
    def doc(self) -> str:
        """What explainParams() says of it."""
        if self.part == _TRANSFORM:
            text = TRANSFORM_OPTIONS[self.name]
        else:
            text = next(
                doc_of(each) for each in fields(_PARTS[self.part]) if each.name == self.name
            )
        return spelled(text, camel_case)

    def convert(self, value: Any) -> Any:
        """The value as the Param keeps it, or a ParameterError that names the Param."""
        try:
            return self._option(value) if self.part == _TRANSFORM else self._field(value)
        except ParameterError as error:
            raise ParameterError(str(error).replace(self.name, self.param)) from None

    def _field(self, value: Any) -> Any:
        if self.name in _OBJECTS:
            value = _object(self.name, value)
        # The dataclass checks each of its fields by itself.
        kept = getattr(_PARTS[self.part](**{self.name: value}), self.name)
        # Of a tuple, Spark's explainParams() makes the arguments of a format.
        return list(kept) if isinstance(kept, tuple) else kept

    def _option(self, value: Any) -> Any:
        if self.name in _CHOICES:
            check_choice(self.name, value, get_args(_CHOICES[self.name]))
        elif isinstance(self.default, bool):
            check_type(self.name, value, bool, "True or False")
        elif self.name.endswith("_col") and not (value is None and self.default is None):
            check_type(self.name, value, str, "a column's name")
        elif self.name in ("cpus", "gpus") and value is not None:
            return check_integer(self.name, value, 1, "leave it out for what Spark's conf says")
        return value


def _sources() -> dict[str, _Source]:
    """By the Param's name."""
    options = inspect.signature(VideoAdaptiveKeyframesSampling.transform).parameters.values()
    sources = [
        *(
            _Source(part, field.name, field.default)
            for part, owner in _PARTS.items()
            for field in fields(owner)
            if field.name not in _PARTS
        ),
        *(
            _Source(_TRANSFORM, option.name, option.default)
            for option in options
            if option.kind is option.KEYWORD_ONLY
        ),
    ]
    return {source.param: source for source in sources}


def _add_param(name: str, source: _Source) -> None:
    """Give KeyframeSampler the Param, its setter and its getter."""

    def set_it(self: KeyframeSampler, value: Any) -> KeyframeSampler:
        self.set(self.getParam(name), value)
        return self

    def get_it(self: KeyframeSampler) -> Any:
        return self.getOrDefault(name)

    setattr(KeyframeSampler, name, Param(Params._dummy(), name, source.doc, source.convert))
    for verb, method in (("set", set_it), ("get", get_it)):
        method.__name__ = verb + name[0].upper() + name[1:]
        method.__qualname__ = f"{KeyframeSampler.__name__}.{method.__name__}"
        method.__doc__ = f"{verb.capitalize()} {name}: {source.doc}."
        setattr(KeyframeSampler, method.__name__, method)


_SOURCES = _sources()
for _name, _source in _SOURCES.items():
    _add_param(_name, _source)
