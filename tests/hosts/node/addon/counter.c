/* A real N-API addon for the tests: counts the calls of its environment. */
#include <node_api.h>
#include <stdlib.h>

static napi_value add(napi_env env, napi_callback_info info) {
  size_t count = 2;
  napi_value arguments[2];
  double a = 0;
  double b = 0;
  napi_value sum;
  napi_get_cb_info(env, info, &count, arguments, NULL, NULL);
  napi_get_value_double(env, arguments[0], &a);
  napi_get_value_double(env, arguments[1], &b);
  napi_create_double(env, a + b, &sum);
  return sum;
}

static napi_value count(napi_env env, napi_callback_info info) {
  int* calls = NULL;
  napi_value result;
  (void)info;
  napi_get_instance_data(env, (void**)&calls);
  napi_create_int32(env, ++*calls, &result);
  return result;
}

static void release(napi_env env, void* data, void* hint) {
  (void)env;
  (void)hint;
  free(data);
}

NAPI_MODULE_INIT() {
  int* calls = calloc(1, sizeof(int));
  napi_value function;
  napi_set_instance_data(env, calls, release, NULL);
  napi_create_function(env, "add", NAPI_AUTO_LENGTH, add, NULL, &function);
  napi_set_named_property(env, exports, "add", function);
  napi_create_function(env, "count", NAPI_AUTO_LENGTH, count, NULL, &function);
  napi_set_named_property(env, exports, "count", function);
  return exports;
}
