// The operations of the control plane, one function each, a file per family. They run on workers' threads, may wait for the
// store, and throw Fault or lambed::Error.
#pragma once

#include "api/api.h"

namespace lambed::api {

using Perform = Reply (*)(Api&, Scope&, Call&);
// nullptr: the operation is known and not supported yet.
Perform find_operation(std::string_view name);

// functions.cc
Reply create_function(Api&, Scope&, Call&);
Reply get_function(Api&, Scope&, Call&);
Reply get_function_configuration(Api&, Scope&, Call&);
Reply list_functions(Api&, Scope&, Call&);
Reply update_function_code(Api&, Scope&, Call&);
Reply update_function_configuration(Api&, Scope&, Call&);
Reply delete_function(Api&, Scope&, Call&);
// versions.cc
Reply publish_version(Api&, Scope&, Call&);
Reply list_versions(Api&, Scope&, Call&);
Reply create_alias(Api&, Scope&, Call&);
Reply get_alias(Api&, Scope&, Call&);
Reply update_alias(Api&, Scope&, Call&);
Reply delete_alias(Api&, Scope&, Call&);
Reply list_aliases(Api&, Scope&, Call&);
// settings.cc
Reply put_concurrency(Api&, Scope&, Call&);
Reply get_concurrency(Api&, Scope&, Call&);
Reply delete_concurrency(Api&, Scope&, Call&);
Reply put_provisioned(Api&, Scope&, Call&);
Reply get_provisioned(Api&, Scope&, Call&);
Reply delete_provisioned(Api&, Scope&, Call&);
Reply list_provisioned(Api&, Scope&, Call&);
Reply tag_resource(Api&, Scope&, Call&);
Reply untag_resource(Api&, Scope&, Call&);
Reply list_tags(Api&, Scope&, Call&);
Reply get_account_settings(Api&, Scope&, Call&);
Reply get_code_signing(Api&, Scope&, Call&);
Reply get_runtime_management(Api&, Scope&, Call&);
Reply get_policy(Api&, Scope&, Call&);

// event_invoke.cc
Reply put_event_invoke(Api&, Scope&, Call&);
Reply update_event_invoke(Api&, Scope&, Call&);
Reply get_event_invoke(Api&, Scope&, Call&);
Reply delete_event_invoke(Api&, Scope&, Call&);
Reply list_event_invoke(Api&, Scope&, Call&);

// identity.cc: STS and IAM, the query protocol.
http::Response perform_identity(Api& api, Call& call);

// dead_letters.cc: what operators do with the table; `path` is what follows /_lambed/dead-letters.
Reply dead_letters(Scope& scope, const Call& call, std::string_view path);

// functions.cc: the bytes behind Code.Location.
http::Response download_code(Api& api, const std::string& path);

}  // namespace lambed::api
