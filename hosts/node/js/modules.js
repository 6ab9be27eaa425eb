// Finds and loads the handler the way Lambda's runtime does. Evaluates to (builtin, settings, errors, builtins) => exports.
(function makeModules(builtin, settings, errors, builtins) {
  'use strict';
  const Module = builtin('module');
  const fs = builtin('fs');
  const path = builtin('path');
  const { pathToFileURL } = builtin('url');
  const { RuntimeError } = errors;
  const root = settings.taskRoot;

  // NODE_PATH as Lambda sets it, with the layers where they really are. Node itself read the application's NODE_PATH
  // before there was an environment of our own, so its list is left out (kNoGlobalSearchPaths) and ours appended.
  function searchPath() {
    const major = /^nodejs(\d+)/.exec(settings.runtime)?.[1] ?? process.versions.node.split('.')[0];
    const folders = [];
    for (const layer of settings.layers) {
      folders.push(path.join(layer, 'nodejs', `node${major}`, 'node_modules'), path.join(layer, 'nodejs', 'node_modules'));
    }
    for (const folder of (settings.variables.NODE_PATH ?? '').split(path.delimiter)) {
      if (folder !== '' && !folder.startsWith('/var/runtime')) folders.push(folder === '/var/task' ? root : folder);
    }
    folders.push(root);
    return [...new Set(folders)];
  }

  const folders = searchPath();
  const lookupPaths = Module._resolveLookupPaths;
  Module._resolveLookupPaths = function (request, parent) {
    const paths = lookupPaths.call(this, request, parent);
    const relative = request === '.' || request === '..' || request.startsWith('./') || request.startsWith('../');
    return paths === null || relative ? paths : paths.concat(folders);
  };
  Module.globalPaths.push(...folders);

  // `import()` is refused in scripts compiled outside node's loaders; in a module's own code it works.
  const importer = new Module(path.join(root, '[lambed]'), undefined);
  importer.filename = importer.id;
  importer.paths = Module._nodeModulePaths(root);
  builtins.compile(importer, 'exports.load = (url) => import(url);', importer.filename);
  const importFile = (file) => {
    builtins.containAll();
    return importer.exports.load(pathToFileURL(file).href);
  };
  const requireFile = Module.createRequire(path.join(root, '[lambed]'));

  const isFile = (file) => fs.statSync(file, { throwIfNoEntry: false })?.isFile() === true;

  function isModulePackage(file) {
    for (let folder = path.dirname(file); ; folder = path.dirname(folder)) {
      const manifest = path.join(folder, 'package.json');
      if (isFile(manifest)) {
        try {
          return JSON.parse(fs.readFileSync(manifest, 'utf8')).type === 'module';
        } catch {
          return false; // node's loader will say what is wrong with it
        }
      }
      if (folder === path.dirname(folder) || path.basename(folder) === 'node_modules') return false;
    }
  }

  async function loadFile(folder, name) {
    const base = path.resolve(root, folder, name);
    if (isFile(base)) return requireFile(base);
    if (isFile(`${base}.js`)) return isModulePackage(base) ? importFile(`${base}.js`) : requireFile(`${base}.js`);
    if (isFile(`${base}.mjs`)) return importFile(`${base}.mjs`);
    if (isFile(`${base}.cjs`)) return requireFile(`${base}.cjs`);
    // Not a file of the function: a package of the task root or of a layer.
    return requireFile(requireFile.resolve(name, { paths: [path.resolve(root, folder), root] }));
  }

  // "a/b.c.d" -> folder "a", module "b", export path "c.d"
  function split(handler) {
    if (handler.includes('..')) {
      throw new RuntimeError(
        'MalformedHandlerName',
        `'${handler}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.`,
      );
    }
    const slash = handler.lastIndexOf('/') + 1;
    const dot = handler.indexOf('.', slash);
    if (dot < 0) throw new RuntimeError('MalformedHandlerName', 'Bad handler');
    return { folder: handler.slice(0, slash), name: handler.slice(slash, dot), names: handler.slice(dot + 1).split('.') };
  }

  async function loadHandler() {
    const { folder, name, names } = split(settings.handler);
    let loaded;
    try {
      loaded = await loadFile(folder, name);
    } catch (error) {
      if (error instanceof SyntaxError) throw new RuntimeError('UserCodeSyntaxError', error);
      if (error?.code === 'MODULE_NOT_FOUND') throw new RuntimeError('ImportModuleError', error);
      throw error;
    }
    let handler = names.reduce((value, key) => value?.[key], loaded);
    // `export default { handler }` and transpiled CommonJS seen from import()
    if (handler === undefined && loaded?.default) handler = names.reduce((value, key) => value?.[key], loaded.default);
    if (!handler) throw new RuntimeError('HandlerNotFound', `${settings.handler} is undefined or not exported`);
    if (typeof handler !== 'function') throw new RuntimeError('HandlerNotFound', `${settings.handler} is not a function`);
    return handler;
  }

  return { loadHandler };
})
