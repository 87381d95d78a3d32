"""An ONNX graph being built: operators by name, constants as arrays.

Operators and forms are those that ONNX Runtime, OpenCV's DNN module, OpenVINO
and ncnn share: opset 13, tensors of four axes, few broadcasts.
"""
import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET, IR_VERSION = 13, 7       # of ONNX 1.8 (2020): what OpenCV 4.6 and Debian's onnx 1.12 read


class Graph:
    """`batch`: a number, or "dynamic". `half`: computes in float16, but for what asks for `full`."""

    def __init__(self, batch=1, half=False):
        self.batch, self.half = batch, half
        self.nodes, self.initializers, self.inputs, self.outputs = [], [], [], []
        self.scope, self.counts, self.known = "", {}, {}

    @property
    def dtype(self):
        return numpy.float16 if self.half else numpy.float32

    @property
    def rows(self):
        """The batch in a Reshape's shape: 0 copies the input's."""
        return 0 if self.batch == "dynamic" else self.batch

    def unique(self, word):
        name = f"{self.scope}/{word}" if self.scope else word
        self.counts[name] = self.counts.get(name, 0) + 1
        return name if self.counts[name] == 1 else f"{name}_{self.counts[name]}"

    def constant(self, value, word="constant", exact=False):
        """An array becomes an initializer, floats those of the graph's type unless `exact`; equal ones only once."""
        array = numpy.asarray(value)
        if array.dtype.kind == "f" and not exact:
            array = array.astype(self.dtype)
        key = array.dtype.str, array.shape, array.tobytes()
        if key not in self.known:
            self.known[key] = self.unique(word)
            array = numpy.ascontiguousarray(array).reshape(array.shape)
            self.initializers.append(numpy_helper.from_array(array, self.known[key]))
        return self.known[key]

    def op(self, kind, *inputs, **attributes):
        """Adds a node; returns its output's name. Inputs are names or arrays."""
        names = [i if isinstance(i, str) else self.constant(i) for i in inputs]
        output = self.unique(kind)
        self.nodes.append(helper.make_node(kind, names, [output], name=output, **attributes))
        return output

    def cast(self, x, dtype):
        return self.op("Cast", x, to={numpy.float32: TensorProto.FLOAT, numpy.float16: TensorProto.FLOAT16}[dtype])

    def reshape(self, x, *shape):
        """To [batch, *shape]."""
        return self.op("Reshape", x, numpy.array([self.rows, *shape], numpy.int64))

    def slice(self, x, begin, end, axis=1, step=1):
        return self.op("Slice", x, *(numpy.array([n], numpy.int64) for n in (begin, end, axis, step)))

    def enlarge(self, x, factor):
        """Each pixel becomes factor x factor of them."""
        nothing = self.constant(numpy.zeros(0, numpy.float32), exact=True)
        scales = self.constant(numpy.array([1, 1, factor, factor], numpy.float32), exact=True)
        return self.op("Resize", x, nothing, scales, mode="nearest", coordinate_transformation_mode="asymmetric",
                       nearest_mode="floor")

    def clip(self, x, low, high=None):
        """x held to [low, high]; high None: no limit. OpenCV 4.6 reads a Clip of no opset from 11 on."""
        def above(limit):
            return self.op("Relu", self.op("Sub", x, numpy.float32(limit)) if limit else x)
        held = above(low)
        if high is not None:
            held = self.op("Sub", held, above(high))
        return self.op("Add", held, numpy.float32(low)) if low else held

    def _value(self, name, shape):
        batch = "batch" if self.batch == "dynamic" else self.batch
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, *shape])

    def input(self, name, *shape):
        self.inputs.append(self._value(name, shape))
        return self.cast(name, numpy.float16) if self.half else name

    def output(self, x, name, *shape):
        self.scope = ""
        x = self.cast(x, numpy.float32) if self.half else x
        self.nodes.append(helper.make_node("Identity", [x], [name], name=self.unique("output")))
        self.outputs.append(self._value(name, shape))

    def model(self, metadata, description):
        graph = helper.make_graph(self.nodes, "darknet", self.inputs, self.outputs, self.initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION,
                                  producer_name="snn export", doc_string=description)
        helper.set_model_props(model, metadata)
        onnx.checker.check_model(model)
        return model
