// What bootstrap/*.rb calls: the singleton methods of Lambed::Native.
#pragma once

namespace lambed::ruby {

// On the VM's thread, once.
void define_natives();

}  // namespace lambed::ruby
