/* The plugin ABI: how the core talks to a language host.
 *
 * A host is a shared object `liblambed_host_<language>*.so` that exports one function, `lambed_host_entry`. It runs handlers
 * of one language in execution environments. This file is all of lambed that a host may include. It is C: no exceptions, no
 * C++ and no libuv types cross this border.
 *
 * Who owns what. Hosts own their threads and interpreters. The core owns every pointer it hands out; each says below how
 * long it lives. All strings are UTF-8 slices without terminator. Times are CLOCK_MONOTONIC nanoseconds unless named otherwise.
 *
 * The life of an environment:
 *
 *     core: host->open(...)                       returns at once; the host makes a thread (or wakes one) that
 *     host:   loads the handler, then core->opened(user, outcome)
 *     host:   loop { switch (core->take(user, &invocation)) {
 *               case LAMBED_TAKE_INVOCATION: run it; core->complete(user, token, &outcome); continue;
 *               case LAMBED_TAKE_NOTHING:    let go of the interpreter's lock; core->wait(user); take it again; continue;
 *               case LAMBED_TAKE_CLOSE:      free everything; core->closed(user); return; } }
 *
 * Work is *taken* rather than pushed, and is bound to an environment only when that environment really can run it (holds its
 * interpreter's lock). An environment that has just finished therefore goes straight on to the next waiting invocation
 * without a thread switch, and where environments share one lock the others do not fight for it in vain.
 *
 * Every call into the core may come from any thread; `take`, `wait`, `opened` and `complete` of one environment come from the
 * thread that runs it. None of them throws, none runs user code, and only `wait` blocks.
 *
 * Versioning: every struct starts with its size as the writer knew it; new members are only ever appended, readers check
 * `size` before they touch a later member. LAMBED_HOST_ABI changes when that is not enough.
 */
#ifndef LAMBED_HOST_H
#define LAMBED_HOST_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LAMBED_HOST_ABI 1u

typedef struct lambed_slice {
  const char* data; /* may be null when size is 0 */
  size_t size;
} lambed_slice;

typedef struct lambed_variable {
  lambed_slice name;
  lambed_slice value;
} lambed_variable;

/* ---- What the core is told ------------------------------------------------------------------------------------------ */

/* In whose process the plugin lives. The loader of the plugins states it; a host never sniffs symbols to find out.
 *
 * A worker is a process for one environment of one function, forked from a launcher that has this plugin loaded. There:
 * - `start`, `before_fork`, `after_fork` and `open` are called by the process's first thread. The launcher calls `start` once and
 *   forks many workers, so `start` leaves no thread behind. A plugin without `before_fork` cannot be forked once it runs: the
 *   launcher only loads it, and `start` comes in each worker, where it may make threads.
 * - `open` is called once, and may serve the environment on the calling thread, so that handlers run on the thread that their
 *   language calls the main one; it returns after `closed` then. `*environment` is set before `opened` is called.
 * - The process is the function's own. Exits, signals, fork, the working directory and the process's environment variables are
 *   real there, and a host guards nothing that a process guards by itself: the core limits memory and ends the environment by
 *   killing the process, so `interrupt` and `abandon` may do nothing. An end that the host does not report by `opened` or
 *   `complete` is read off the process.
 * - Descriptors 1 and 2 lead into the function's log. Children of the function and native code write there; what the language
 *   itself prints goes to `log`. Descriptor 0 has nothing to read. */
typedef enum lambed_context {
  LAMBED_CONTEXT_PROGRAM = 0, /* a C++ program, or `lambed` itself */
  LAMBED_CONTEXT_PYTHON = 1,  /* inside a running CPython (pip package) */
  LAMBED_CONTEXT_NODE = 2,    /* inside a running node (npm package) */
  LAMBED_CONTEXT_WORKER = 3   /* a worker or its launcher, see above */
} lambed_context;

typedef enum lambed_memory_scope {
  LAMBED_MEMORY_UNLIMITED = 0, /* no cap can be held in process */
  LAMBED_MEMORY_PER_ENVIRONMENT = 1,
  LAMBED_MEMORY_PER_VM = 2
} lambed_memory_scope;

enum lambed_host_traits {
  LAMBED_HOST_SHARED_LOCK = 1u << 0,      /* environments take turns at one interpreter lock */
  LAMBED_HOST_SHARED_NAMESPACE = 1u << 1, /* global definitions of one function can reach another */
  LAMBED_HOST_RESTARTABLE = 1u << 2,      /* start may follow stop in one process */
  LAMBED_HOST_CONTAINS_EXIT = 1u << 3,    /* exit() of the language ends the environment, not the process */
  LAMBED_HOST_CONTAINS_FATAL = 1u << 4    /* so does running out of the language's heap */
};

/* Filled by `describe`; strings live as long as the plugin. Before `start` the version may be empty. */
typedef struct lambed_host_description {
  uint32_t size;
  lambed_slice language; /* "python", "nodejs", "ruby": the runtime identifier without its version */
  lambed_slice interpreter_version; /* "3.11.2" */
  lambed_slice interpreter_path;    /* the library or executable that was found, for `lambed doctor` */
  uint32_t traits;                  /* lambed_host_traits */
  uint32_t memory_scope;            /* lambed_memory_scope */
  uint32_t max_environments;        /* 0: as many as there is room for */
  const lambed_slice* start_after;  /* languages which, if used at all, must be started before this one */
  size_t start_after_count;
  const lambed_slice* global_libraries; /* libraries whose symbols the host needs, or makes, global */
  size_t global_library_count;
  const int* signals; /* signals whose handlers the interpreter needs for itself */
  size_t signal_count;
  uint32_t max_environments_per_version; /* 0: no limit. Invocations beyond wait in line */
} lambed_host_description;

typedef enum lambed_stream {
  LAMBED_STREAM_STDOUT = 1,
  LAMBED_STREAM_STDERR = 2,
  LAMBED_STREAM_LOG = 3 /* already in Lambda's format: `[INFO]\t<time>\t<request id>\t...` */
} lambed_stream;

typedef enum lambed_outcome_kind {
  LAMBED_OUTCOME_SUCCESS = 0,
  LAMBED_OUTCOME_FUNCTION_ERROR = 1, /* payload is the runtime's error document */
  LAMBED_OUTCOME_EXITED =
      2, /* the handler ended its process (exit, abort): exit_code or term_signal says how */
  LAMBED_OUTCOME_OUT_OF_MEMORY = 3, /* ended by the memory limit without a document of its own */
  LAMBED_OUTCOME_INTERRUPTED = 4,   /* stopped by `interrupt`; the core knows why */
  LAMBED_OUTCOME_REFUSED = 5 /* the host could not run it (poisoned VM, clash of definitions): payload is a
                                        message in words that names the cause and the remedy */
} lambed_outcome_kind;

enum lambed_outcome_flags {
  LAMBED_OUTCOME_DISCARD = 1u << 0, /* this environment must not be used again */
  LAMBED_OUTCOME_BINARY = 1u << 1   /* payload is not JSON (Python: a bytes result); passed on unchanged */
};

typedef struct lambed_outcome {
  uint32_t size;
  uint32_t kind;           /* lambed_outcome_kind */
  uint32_t flags;          /* lambed_outcome_flags */
  int32_t exit_code;       /* EXITED */
  int32_t term_signal;     /* EXITED by a signal, else 0 */
  lambed_slice payload;    /* valid during the call of opened/complete only */
  lambed_slice error_type; /* FUNCTION_ERROR: e.g. "Runtime.ImportModuleError", for the telemetry */
  uint64_t memory_peak;    /* bytes: the environment's highest use so far; 0 unknown */
} lambed_outcome;

/* ---- What the core hands over --------------------------------------------------------------------------------------- */

/* Valid until `open` returns: the host copies what it keeps. */
typedef struct lambed_environment_options {
  uint32_t size;
  void* user; /* handed back in every call that concerns this environment */
  lambed_slice function_name;
  lambed_slice function_version; /* "$LATEST" or a number */
  lambed_slice function_id; /* tells apart two functions of one name, one deleted before the other was made */
  lambed_slice code_id;   /* equal for environments that run the same code: SHA-256 or another opaque word */
  lambed_slice runtime;   /* as configured: "python3.11" */
  lambed_slice handler;   /* as configured: "app.handler" */
  lambed_slice task_root; /* absolute folder of the code */
  const lambed_slice* layers; /* absolute folders, first the one that wins (Lambda: the last layer listed) */
  size_t layer_count;
  const lambed_variable*
      variables; /* the whole environment of the function: Lambda's own and the function's */
  size_t variable_count;
  uint64_t memory_limit; /* bytes, MemorySize */
  int64_t init_deadline; /* 0: none. The core interrupts at that time; the host need not watch it */
  lambed_slice log_group;
  lambed_slice log_stream;
  uint32_t json_logs; /* LoggingConfig.LogFormat is JSON */
} lambed_environment_options;

/* Valid until `complete` for this token has returned. */
typedef struct lambed_invocation {
  uint32_t size;
  uint64_t token;     /* never used twice; names this invocation in complete and interrupt */
  lambed_slice event; /* checked: valid JSON in UTF-8 */
  lambed_slice request_id;
  lambed_slice invoked_function_arn;
  lambed_slice function_version;
  lambed_slice client_context;   /* JSON, decoded from base64; empty: none */
  lambed_slice cognito_identity; /* JSON {"cognitoIdentityId","cognitoIdentityPoolId"}; empty: none */
  lambed_slice trace_id;         /* X-Ray header; empty: none */
  lambed_slice tenant_id;        /* empty: none */
  int64_t deadline;              /* monotonic */
  int64_t deadline_epoch_ms;     /* the same instant as Unix time */
} lambed_invocation;

typedef enum lambed_take {
  LAMBED_TAKE_NOTHING = 0,
  LAMBED_TAKE_INVOCATION = 1,
  LAMBED_TAKE_CLOSE = 2
} lambed_take;

/* The core as hosts see it. Lives as long as the process. */
typedef struct lambed_core {
  uint32_t size;
  uint32_t abi;
  /* Init has ended. SUCCESS: the environment may take work. Any other kind: payload is the error document, the host frees
     everything and calls `closed` next, without `take`. Called exactly once per environment, unless it was abandoned first,
     when the call is allowed and ignored. */
  void (*opened)(void* user, const lambed_outcome* outcome);
  /* Never blocks. INVOCATION fills *invocation (set invocation->size first); it must be answered by `complete`. */
  lambed_take (*take)(void* user, lambed_invocation* invocation);
  /* Blocks until `take` may have something else to say. Spurious returns are allowed. Hold no interpreter lock. In a worker it
     returns when a signal has interrupted it, so that the language's handler runs. */
  void (*wait)(void* user);
  /* Makes a `wait` of this environment return early (Ruby's unblocking function needs it). Any thread. */
  void (*nudge)(void* user);
  /* The answer to the invocation `token`. The core copies what it keeps before it returns. A late or repeated completion is
     recognised by its token and ignored. */
  void (*complete)(void* user, uint64_t token, const lambed_outcome* outcome);
  /* Output of the function: any thread, any number of bytes, need not end in a newline. `realtime_us`: Unix time, 0 = now. */
  void (*log)(void* user, lambed_stream stream, lambed_slice bytes, int64_t realtime_us);
  /* A chunk of a streamed response. Hosts call it only when the core offers it: null in ABI 1. */
  void (*chunk)(void* user, uint64_t token, lambed_slice bytes);
  /* The environment is gone, `user` must not be used again. The last call of every environment. */
  void (*closed)(void* user);
  /* Something the operator should know ("numpy needs the main interpreter: ..."): `user` may be null. */
  void (*notice)(void* user, lambed_slice message);
  int64_t (*monotonic_ns)(void);
} lambed_core;

typedef struct lambed_option {
  lambed_slice name;
  lambed_slice value;
} lambed_option;

/* Valid until `start` returns. */
typedef struct lambed_host_options {
  uint32_t size;
  uint32_t context;             /* lambed_context */
  lambed_slice plugin_path;     /* this plugin's own file */
  const lambed_option* options; /* e.g. {"interpreter", "/usr/bin/python3.12"}; unknown ones are ignored */
  size_t option_count;
} lambed_host_options;

typedef struct lambed_usage {
  uint32_t size;
  uint64_t memory;      /* bytes in use now; 0 unknown */
  uint64_t memory_peak; /* highest so far */
  uint64_t cpu_ns;      /* 0 unknown */
} lambed_usage;

typedef enum lambed_interrupt {
  LAMBED_INTERRUPT_PENDING = 0,     /* asked for; `complete` or `opened` follows if it works */
  LAMBED_INTERRUPT_STOPPED = 1,     /* nothing runs under this token any more */
  LAMBED_INTERRUPT_UNSUPPORTED = 2, /* this host cannot: abandon it */
  LAMBED_INTERRUPT_WAITING =
      3 /* asked for, but what runs could not notice yet: others have the interpreter's lock, or a process is
                                  being ended. The core asks again and does not count this time, within reason */
} lambed_interrupt;

typedef struct lambed_environment lambed_environment; /* the host's own */

/* ---- The plugin ----------------------------------------------------------------------------------------------------- */

/* One table per plugin, one running host per plugin and process. `message` buffers receive a zero-terminated sentence that
   names the cause and the remedy; functions that return int return 0 on success. Calls are made by one thread at a time
   except interrupt, usage, freeze and thaw, which may come from any thread at any time between open and closed. */
typedef struct lambed_host_api {
  uint32_t size;
  uint32_t abi;
  void (*describe)(lambed_host_description* description);
  /* Finds and starts the interpreter. Blocks. Leaves the process's signal handlers as it found them. */
  int (*start)(const lambed_core* core, const lambed_host_options* options, char* message,
               size_t message_size);
  /* Opens an environment; returns at once, the answer is `opened`. Fails only when nothing was begun. */
  int (*open)(const lambed_environment_options* options, lambed_environment** environment, char* message,
              size_t message_size);
  /* Stops what the environment runs under `token` (0: its init). Never blocks, whoever holds the interpreter's lock.
     Repeated calls escalate: each one may use a stronger means than the last. */
  lambed_interrupt (*interrupt)(lambed_environment* environment, uint64_t token);
  /* The core gives up waiting. The host keeps what the running code may still touch, and calls `closed` if it ever ends. */
  void (*abandon)(lambed_environment* environment);
  void (*usage)(lambed_environment* environment, lambed_usage* usage);
  /* Hints: no work is expected for a while / work is coming. Either may be null. */
  void (*freeze)(lambed_environment* environment);
  void (*thaw)(lambed_environment* environment);
  /* No gateway is left: give back what is only kept for speed. Environments are all closed or abandoned. May be null. */
  void (*quiesce)(void);
  /* The process is about to exit. Finalises the interpreter unless abandoned environments still run in it. Bounded: 1 s. */
  void (*stop)(void);
  /* Around a fork in LAMBED_CONTEXT_WORKER, between `start` and `open`; readers check `size` before they touch these two. Both
     or neither are null. `before_fork` readies the interpreter to be copied; not 0: it cannot, do not fork. After a 0
     `after_fork` follows on either side of the fork, or with 0 when there was none: is_child is 1 in the new process, on its only
     thread, before anything else of this plugin is called there. */
  int (*before_fork)(void);
  void (*after_fork)(int is_child);
} lambed_host_api;

/* The only exported symbol. Returns null when the plugin cannot serve a core of that ABI. */
const lambed_host_api* lambed_host_entry(uint32_t core_abi);
typedef const lambed_host_api* (*lambed_host_entry_function)(uint32_t core_abi);
#define LAMBED_HOST_ENTRY "lambed_host_entry"

#ifdef __cplusplus
}
#endif
#endif /* LAMBED_HOST_H */
