#!/usr/bin/python3
"""OpenStack Swift with its S3 API, all servers on loopback, without root, nothing outside DIR.

usage: swift-all-in-one.py DIR PORT ACCOUNT:USER SECRET   (takes PORT to PORT+3; SIGTERM ends it)
"""
import getpass
import os
import signal
import socket
import sys
import time

directory, port, access, secret = os.path.abspath(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
account, user = access.split(':')
PORTS = {'proxy': port, 'account': port + 1, 'container': port + 2, 'object': port + 3}
# the order of the proxy's pipeline matters to Swift
PIPELINE = ('catch_errors gatekeeper healthcheck memcache listing_formats s3api tempauth bulk slo dlo '
            'versioned_writes copy symlink proxy-server')
SETTINGS = {
    's3api': 's3_acl = false\nlocation = us-east-1\nmax_multi_part_upload_part_num = 10000\n'
             'max_upload_part_num = 10000\ncheck_bucket_owner = false',
    'tempauth': 'user_%s_%s = %s .admin' % (account, user, secret),
    'slo': 'max_manifest_segments = 10000\nmax_manifest_size = 33554432',
    'versioned_writes': 'allow_versioned_writes = true',
}
DEFAULT = '''[DEFAULT]
bind_ip = 127.0.0.1
bind_port = %d
swift_dir = {0}
devices = {0}/devices
mount_check = false
user = {1}
workers = 0
log_level = WARNING
log_address = /dev/null
disable_fallocate = true
fallocate_reserve = 0
'''.format(directory, getpass.getuser())
# s3api with tempauth wants a memcache; one proxy process is content with its own memory
MEMCACHE = '''import time as clock

class Memcache(object):
    def __init__(self):
        self.entries = {}

    def get(self, key, *args, **kwargs):
        value, expires = self.entries.get(key, (None, 0))
        return None if expires and expires < clock.time() else value

    def set(self, key, value, serialize=True, time=0, **kwargs):
        self.entries[key] = (value, clock.time() + time if time else 0)

    def incr(self, key, delta=1, time=0, **kwargs):
        value = int(self.get(key) or 0) + delta
        self.set(key, value, time=time)
        return value

    def decr(self, key, delta=1, time=0, **kwargs):
        return self.incr(key, -delta, time)

    def delete(self, key, *args, **kwargs):
        self.entries.pop(key, None)

    def set_multi(self, values, key, time=0, **kwargs):
        for name in values:
            self.set(name, values[name], time=time)

    def get_multi(self, keys, key, **kwargs):
        return [self.get(name) for name in keys]

def filter_factory(global_conf, **local_conf):
    memcache = Memcache()
    def with_cache(app):
        def handle(env, start_response):
            env['swift.cache'] = memcache
            return app(env, start_response)
        return handle
    return with_cache
'''


def write(name, text):
    with open(os.path.join(directory, name), 'w') as file:
        file.write(text)


def configure():
    os.makedirs(directory + '/devices/d1', exist_ok=True)
    write('swift.conf', '[swift-hash]\nswift_hash_path_suffix = test\nswift_hash_path_prefix = test\n'
                        '[storage-policy:0]\nname = Policy-0\ndefault = yes\n')
    write('all_in_one_memcache.py', MEMCACHE)
    for role in ('account', 'container', 'object'):
        write(role + '.conf', DEFAULT % PORTS[role] +
              '[pipeline:main]\npipeline = %s-server\n[app:%s-server]\nuse = egg:swift#%s\n' % (role, role, role))
    proxy = DEFAULT % port + '[pipeline:main]\npipeline = %s\n' % PIPELINE
    proxy += '[app:proxy-server]\nuse = egg:swift#proxy\nallow_account_management = true\naccount_autocreate = true\n'
    for name in PIPELINE.split()[:-1]:
        uses = 'paste.filter_factory = all_in_one_memcache:filter_factory' if name == 'memcache' else 'use = egg:swift#' + name
        proxy += '[filter:%s]\n%s\n%s\n' % (name, uses, SETTINGS.get(name, ''))
    write('proxy.conf', proxy)


def point_swift_at(conf):
    """Swift reads /etc/swift/swift.conf by a constant that several modules hold a copy of."""
    import swift.common.constraints
    import swift.common.storage_policy
    import swift.common.utils
    modules = [swift.common.utils, swift.common.constraints, swift.common.storage_policy]
    try:
        import swift.common.utils.config
        modules.append(swift.common.utils.config)
    except ImportError:
        pass  # before 2.32
    for module in modules:
        if hasattr(module, 'SWIFT_CONF_FILE'):
            module.SWIFT_CONF_FILE = conf
    swift.common.utils.validate_hash_conf()
    swift.common.constraints.reload_constraints()
    swift.common.storage_policy.reload_storage_policies()


def build_rings():
    from swift.common.ring import RingBuilder
    for role in ('account', 'container', 'object'):
        ring = '%s/%s.ring.gz' % (directory, role)
        if os.path.exists(ring):
            continue
        builder = RingBuilder(4, 1, 0)
        builder.add_dev({'id': 0, 'region': 1, 'zone': 1, 'ip': '127.0.0.1', 'port': PORTS[role], 'device': 'd1',
                         'weight': 1, 'meta': '', 'replication_ip': '127.0.0.1', 'replication_port': PORTS[role]})
        builder.rebalance()
        builder.get_ring().save(ring)


def serve(role):
    from swift.common.wsgi import run_wsgi
    options = {'verbose': bool(os.environ.get('SWIFT_VERBOSE'))}
    if role == 'object':
        from swift.obj import server
        options['global_conf_callback'] = server.global_conf_callback
    sys.exit(run_wsgi('%s/%s.conf' % (directory, role), role + '-server', **options))


def answers(number):
    try:
        socket.create_connection(('127.0.0.1', number), 1).close()
        return True
    except OSError:
        return False


def main():
    configure()
    point_swift_at(directory + '/swift.conf')
    build_rings()
    sys.path.insert(0, directory)
    servers = []
    for role in PORTS:
        pid = os.fork()
        if pid == 0:
            serve(role)
        servers.append(pid)

    def stop(*_):
        for server in servers:
            try:
                os.kill(server, signal.SIGTERM)
            except ProcessLookupError:
                pass
        sys.exit(0)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    started = time.time()
    while not all(answers(number) for number in PORTS.values()):
        if os.waitpid(-1, os.WNOHANG)[0] or time.time() - started > 50:
            print('swift failed to start (SWIFT_VERBOSE=1 shows why)', flush=True)
            stop()
        time.sleep(0.05)
    print('swift is ready on 127.0.0.1:%d after %.1f s' % (port, time.time() - started), flush=True)
    os.wait()
    stop()


main()
