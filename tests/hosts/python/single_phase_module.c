/* An extension module of the old kind (single-phase initialisation): it supports no sub-interpreters. Compiled against the
 * limited API, so that one file serves all versions under test. Counts its calls in static storage, which a second
 * interpreter would share. */
#define Py_LIMITED_API 0x030b0000
#include <Python.h>

static long calls;

static PyObject* count(PyObject* self, PyObject* unused) {
  (void)self;
  (void)unused;
  return PyLong_FromLong(++calls);
}

static PyMethodDef methods[] = {{"count", count, METH_NOARGS, "How often this was called."},
                                {NULL, NULL, 0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "lambed_single_phase", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_lambed_single_phase(void) { return PyModule_Create(&definition); }
