"""Calls: dispatched to functions of the repository, to containers, texts and libraries."""

import ast

from muniment.scanners.python.containers import call_container_method
from muniment.scanners.python.frames import Frame
from muniment.scanners.python.function_calls import FunctionCaller
from muniment.scanners.python.operations import PLAIN, bind_value, carry_taint
from muniment.scanners.python.paths import SplitAddress
from muniment.scanners.python.patterns import CallMatch
from muniment.scanners.python.sink_checks import name_call
from muniment.scanners.python.state import State
from muniment.scanners.python.values import (
    AbstractValue,
    Class,
    Derived,
    FunctionValue,
    HeapObject,
    Method,
    Symbol,
    ValueReference,
    build_symbol,
)


class CallEvaluator(FunctionCaller):
    """Evaluates calls of functions and methods."""

    def _evaluate_Call(self, node: ast.Call, state: State, frame: Frame) -> AbstractValue:
        function = node.func
        if isinstance(function, ast.Name) and function.id == "super":
            return self._build_super(state, frame)
        receiver = callee = None
        if isinstance(function, ast.Attribute):
            receiver = self.evaluate(function.value, state, frame)
        else:
            callee = self.evaluate(function, state, frame)
        arguments: list[AbstractValue] = []
        for one in node.args:
            if isinstance(one, ast.Starred):
                value = self.evaluate(one.value, state, frame)
                elements = self.list_elements(value, state)
                arguments += elements if elements is not None else [self.join_elements(value, state)]
            else:
                arguments.append(self.as_data(self.evaluate(one, state, frame), one, frame))
        named: dict[str, AbstractValue] = {}
        for keyword in node.keywords:
            value = self.as_data(self.evaluate(keyword.value, state, frame), keyword.value, frame)
            if keyword.arg is not None:
                named[keyword.arg] = value
                continue
            for alternative in value.base:
                if isinstance(alternative, ValueReference) and state.read_object(alternative.location).kind == "dict":
                    content = state.read_object(alternative.location)
                    named.update({str(key): item for key, item in content.items.items()})
                    if content.exact:
                        continue
                named["**"] = value
        if receiver is not None and isinstance(function, ast.Attribute):
            return self.call_method(receiver, function.attr, arguments, named, node, state, frame)
        assert callee is not None
        return self.call_value(callee, arguments, named, node, state, frame)

    def call_value(
        self,
        function: AbstractValue,
        arguments: list[AbstractValue],
        named: dict[str, AbstractValue],
        node: ast.AST,
        state: State,
        frame: Frame,
    ) -> AbstractValue:
        """Call each function that a value may be."""

        def call(one: object) -> AbstractValue:
            match one:
                case FunctionValue():
                    return self.call_function(one, arguments, named, None, node, state, frame)
                case Method(receiver, name, bound):
                    if bound is not None:
                        return self.call_function(bound, arguments, named, receiver, node, state, frame)
                    return self.call_method(receiver, name, arguments, named, node, state, frame)
                case Class():
                    return self.instantiate(one, arguments, named, node, state, frame)
                case Symbol(path):
                    return self.call_library(path, None, arguments, named, node, state, frame)
                case ValueReference(location) if state.has_object(location):
                    content = state.read_object(location)
                    if content.kind == "instance" and isinstance(content.type, Class):
                        found = self.find_class_attribute(content.type, "__call__", state)
                        if found is not None and isinstance(found.base[0], FunctionValue):
                            return self.call_function(
                                found.base[0], arguments, named, AbstractValue((one,)), node, state, frame
                            )
                    if content.kind == "partial":
                        before = [content.items[key] for key in sorted(k for k in content.items if isinstance(k, int))]
                        words = {str(k): v for k, v in content.items.items() if isinstance(k, str)}
                        assert isinstance(content.type, AbstractValue)
                        return self.call_value(content.type, before + arguments, {**words, **named}, node, state, frame)
            return carry_taint([*arguments, *named.values()], state, name_call(node))

        return bind_value(function, call)

    def call_method(
        self,
        receiver: AbstractValue,
        name: str,
        arguments: list[AbstractValue],
        named: dict[str, AbstractValue],
        node: ast.AST,
        state: State,
        frame: Frame,
    ) -> AbstractValue:
        """Call a method of each object that a value may be."""
        if receiver.worlds and all(isinstance(one, (*PLAIN, Symbol, Derived)) for one in receiver.base):
            return self.call_data_method(receiver, name, arguments, named, node, state, frame)

        def call(one: object) -> AbstractValue:
            match one:
                case Symbol(path):
                    source = self.models.sources.get(path)
                    if source is not None and source.kind == "mapping":
                        return self.call_mapping_method(one, name, arguments, named, node, state, frame)
                    return self.call_library(
                        f"{path}.{name}", AbstractValue((one,)), arguments, named, node, state, frame
                    )
                case ValueReference(location) if state.has_object(location):
                    content = state.read_object(location)
                    if content.kind in ("list", "tuple", "set", "dict"):
                        return call_container_method(self, one, name, arguments, named, state)
                    if content.kind == "super":
                        found = (
                            self.find_class_attribute(content.type, name, state)
                            if isinstance(content.type, Class)
                            else None
                        )
                        if found is None or not isinstance(found.base[0], FunctionValue):
                            return build_symbol(f"super.{name}()")
                        return self.call_function(
                            found.base[0], arguments, named, content.items["receiver"], node, state, frame
                        )
                    if content.kind not in ("library", "instance"):
                        return carry_taint([*arguments, *named.values()], state, f"{content.kind}.{name}()")
                    if content.kind == "library":
                        return self.call_library_method(one, content, name, arguments, named, node, state, frame)
                case str() | bytes() | Derived() | SplitAddress() | CallMatch():
                    return self.call_data_method(AbstractValue((one,)), name, arguments, named, node, state, frame)
                case _:
                    pass
            attribute = self.read_attribute(AbstractValue((one,)), name, node, state, frame)
            return self.call_value(attribute, arguments, named, node, state, frame)

        return bind_value(receiver, call)

    def _build_super(self, state: State, frame: Frame) -> AbstractValue:
        function = frame.function
        if function is not None and function.owner and state.has_object(function.owner):
            owner = state.read_object(function.owner)
            bases = owner.items.get("__bases__")
            first = getattr(function.node.args, "args", [])[:1]
            receiver = state.read_object(frame.location).items.get(first[0].arg) if first else None
            if bases is not None and receiver is not None and isinstance(receiver.base[0], ValueReference):
                one = bases.base[0]
                made = HeapObject("super", {"receiver": receiver}, type=one)
                if isinstance(one, Symbol):
                    return build_symbol(one.path)
                return self.allocate_object(made, state)
        return build_symbol("super")
