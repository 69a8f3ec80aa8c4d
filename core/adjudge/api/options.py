"""Options: frozen fields that a run file sets. A component is a set of options with a name, and a kind picks its component by that name.

A field annotated with a kind (``scorer: PathScorer``) picks its own class by `use` from the plugins that validation has as its context.
"""

from collections.abc import Iterable
from functools import cache
from itertools import pairwise
from typing import Any, ClassVar, Self, TypeVar

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, ModelWrapValidatorHandler, ValidationInfo, model_validator
from pydantic.functional_serializers import model_serializer
from pydantic_core import CoreSchema, ErrorDetails, InitErrorDetails, PydanticCustomError, ValidationError

from adjudge.errors import ConfigError


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``; did you mean 'x'?`` for the known name that is nearest; nothing where none is near."""
    from difflib import get_close_matches

    near = get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


@cache
def field_docs(cls: type[BaseModel]) -> dict[str, str]:
    """The docstring below each field of a class of options, inherited ones included; read from its source, when it is asked for."""
    import ast
    import inspect
    from textwrap import dedent

    if not issubclass(cls, Options):
        return {}
    found = {name: text for base in reversed(cls.__mro__[1:]) if issubclass(base, Options) for name, text in field_docs(base).items()}
    [tree] = ast.parse(dedent(inspect.getsource(cls))).body
    for field, below in pairwise(getattr(tree, "body", [])):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                found[name] = inspect.cleandoc(text)
    return found


class Options(BaseModel):
    """Frozen fields with a docstring each; a field that does not exist is answered with those that do."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
    without_effect: ClassVar[frozenset[str]] = frozenset()
    """Names of fields that no result depends on, such as the size of a batch: a run folder may go on when they change."""
    later: ClassVar[frozenset[str]] = frozenset()
    """Names of fields that came with a later version; at their default they are not written down, so that no id and no seed changes."""

    @model_serializer(mode="wrap")
    def _without_later_defaults(self, handler: Any) -> dict[str, Any]:
        unset = {name for name in self.later if getattr(self, name) == type(self).model_fields[name].default}
        return {name: value for name, value in handler(self).items() if name not in unset}

    @model_validator(mode="wrap")
    @classmethod
    def _name_what_exists(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        cls.model_rebuild(raise_errors=False)  # pydantic before 2.14 writes no value of a class that only another's schema has built
        try:
            return handler(data)
        except ValidationError as error:
            raise ValidationError.from_exception_data(cls.__name__, [_told(cls, item) for item in error.errors()]) from None

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        found = handler(schema)
        fields, docs = handler.resolve_ref_schema(found).get("properties", {}), field_docs(cls)
        for name in fields.keys() & docs.keys():
            fields[name]["description"] = docs[name]
        return found


def _told(cls: type[BaseModel], item: ErrorDetails) -> InitErrorDetails:
    """A mistake as it was found, except that an unknown field of this class gets a remedy."""
    message, place = item["msg"].removeprefix("Value error, "), item["loc"]
    if item["type"] == "extra_forbidden" and len(place) == 1:
        hint = did_you_mean(str(place[0]), cls.model_fields)
        message = f"there is no such field{hint}   (fields: {', '.join(cls.model_fields)})"
    return {"type": PydanticCustomError("mistake", "{message}", {"message": message}), "loc": place, "input": item["input"]}


class Component(Options):
    """A frozen set of options with a name and a verb."""

    kind: ClassVar[str] = ""
    """How the kind is called in messages, for example "path scorer"; set on kinds only."""
    hook: ClassVar[str] = ""
    """The hook that registers components of the kind; set on kinds only."""
    default: ClassVar[str | None] = None
    """The component that is meant where options stand without `use`; set on kinds only, and None for most: a name is then needed."""
    needs: ClassVar[str] = ""
    """What it needs besides what every run has, in a few words that `adjudge plugins` shows, such as "entropy of every token"."""
    needs_labels: ClassVar[bool] = False
    """Whether it can do nothing with a problem that has no label."""
    use: str
    """The component's name in a run file."""

    @classmethod
    def is_kind(cls) -> bool:
        return "kind" in vars(cls)

    @classmethod
    def name(cls) -> str:
        """The value of the `use` literal."""
        return str(cls.model_fields["use"].default)

    @model_validator(mode="wrap")
    @classmethod
    def _pick(cls, data: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo) -> Self:
        """Where a kind is asked for, hand over to the component that `use` names."""
        if not cls.is_kind() or isinstance(data, cls):
            return handler(data)
        picker = (info.context or {}).get("plugins")
        if picker is None:
            raise PydanticCustomError("no_plugins", "a {kind} cannot be picked by name without plugins", {"kind": cls.kind})
        if isinstance(data, str):
            data = {"use": data}
        if isinstance(data, dict) and "use" not in data and cls.default is not None:
            data = {"use": cls.default, **data}
        if not isinstance(data, dict) or not isinstance(data.get("use"), str):
            raise PydanticCustomError("use_missing", "say which {kind}, as 'use: NAME'", {"kind": cls.kind})
        chosen: type[Self] = picker.pick(cls, data["use"])
        return chosen.model_validate(data, context=info.context)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """A kind is a placeholder that the schema of a run file links to the installed components."""
        if cls.is_kind():
            return {"x-kind": cls.__name__}
        return super().__get_pydantic_json_schema__(schema, handler)


Some = TypeVar("Some", bound=Component)


def named_once(components: list[Some]) -> list[Some]:
    """Validates a list whose results are kept by name: ``Annotated[list[RewardRule], AfterValidator(named_once)]``."""
    names = [component.use for component in components]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{name!r} stands there twice; its results are kept by name, so name it once")
    return components


def dump(config: BaseModel) -> dict[str, Any]:
    """A configuration with its defaults filled in, as plain JSON values."""
    return config.model_dump(mode="json", serialize_as_any=True)


Model = TypeVar("Model", bound=BaseModel)


def validate(cls: type[Model], data: Any, plugins: object, where: str) -> Model:
    """Validate with these plugins; mistakes come back as one readable `ConfigError`."""
    try:
        return cls.model_validate(data, context={"plugins": plugins})
    except ValidationError as error:
        raise ConfigError(explain(error, where)) from None


def explain(error: ValidationError, where: str) -> str:
    """Every mistake on a line: place, what is wrong."""
    lines = [f"{where} is not valid:"]
    for item in error.errors(include_url=False):
        place = ".".join(str(part) for part in item["loc"]) or "(top)"
        lines.append(f"  {place}: {item['msg']}")
    return "\n".join(lines)
